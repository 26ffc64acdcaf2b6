"""A routing decision with its reasons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, assert_never

from reconciler.model.domain import with_a_label, with_a_labels
from reconciler.render.formats import OutputFormat
from reconciler.render.json import to_json
from reconciler.render.terminal import visible
from reconciler.routing.request import Refusal, Route

if TYPE_CHECKING:
    from reconciler.render.formats import TextOrJson
    from reconciler.render.terminal import Style


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteExplanation:
    """The route of a mail if ``allowed``, or why it is refused."""

    format_version: Literal["1.0"] = "1.0"
    allowed: bool
    decision: Route | Refusal


def route_text(decision: Route | Refusal, output_format: TextOrJson, style: Style) -> str:
    """The decision as sentences, or as JSON."""
    match output_format:
        case OutputFormat.HUMAN:
            return _sentences(decision, style)
        case OutputFormat.JSON:
            allowed = isinstance(decision, Route)
            return to_json(RouteExplanation(allowed=allowed, decision=decision))
        case _:
            assert_never(output_format)


def _sentences(decision: Route | Refusal, style: Style) -> str:
    lines = [
        f"  {number}. {visible(with_a_labels(step))}"
        for number, step in enumerate(decision.steps, 1)
    ]
    if not isinstance(decision, Route):
        return "\n".join(
            [f"{style.removed('Refused:')} {visible(with_a_labels(decision.sentence))}.", *lines]
        )
    head = f"Goes out through {style.strong(decision.connector)} as {style.strong(with_a_label(decision.from_address))}."
    headers = [("From", decision.from_address), ("Reply-To", decision.reply_to),
               ("X-Original-From", decision.original_from)]  # fmt: skip
    lines += [
        "",
        *(f"  {name}: {visible(with_a_label(value))}" for name, value in headers if value),
    ]
    if decision.save_to_sent_items is not None:
        copy = "A copy" if decision.save_to_sent_items else "No copy"
        lines.append(f"  {copy} is filed in the Sent Items of {decision.connector}.")
    lines += [
        f"\n{style.changed('Warning:')} {visible(with_a_labels(text))}."
        for text in decision.warnings
    ]
    return "\n".join([head, *lines])
