"""A plan with the changes that the actor may not make, in each format, and reports of planning."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from msgspec import Struct

from reconciler.render.formats import OutputFormat
from reconciler.render.human.plan import plan_text
from reconciler.render.source_root import NO_ROOT, SourceRoot
from reconciler.render.terminal import visible
from reconciler.wording import shortened

if TYPE_CHECKING:
    from reconciler.apply.authorise import Denial
    from reconciler.diagnostics import Diagnostic
    from reconciler.plan.planner import Plan
    from reconciler.probe.result import ConnectorResult
    from reconciler.render.formats import PlanFormat
    from reconciler.render.terminal import Style


class PlanOutcome(Struct, frozen=True, kw_only=True):
    """The outcome of planning: a plan, the actor's denials, and the results of live tests.

    ``plan`` is None if planning failed; ``error`` then says why. ``project`` and ``environment`` are
    empty if there is none, or if the settings could not be read.
    """

    plan: Plan | None = None
    denials: tuple[Denial, ...] = ()
    actor: str = ""
    diagnostics: tuple[Diagnostic, ...] = ()
    error: str | None = None
    results: tuple[ConnectorResult, ...] = ()
    root: SourceRoot = NO_ROOT
    project: str = ""
    environment: str = ""


def planned(outcome: PlanOutcome, output_format: PlanFormat, style: Style) -> str:
    """A plan, and the changes that the actor may not make."""
    match output_format:
        case OutputFormat.HUMAN:
            return _human(outcome, style)
        case OutputFormat.MARKDOWN:
            from reconciler.render.pull_request import plan_comment  # noqa: PLC0415 - only where it is written

            return plan_comment(outcome)
        case OutputFormat.JSON:
            from reconciler.render.json import to_json  # noqa: PLC0415 - as above
            from reconciler.render.plan_document import plan_document  # noqa: PLC0415 - as above

            return to_json(plan_document(outcome))
        case _:
            assert_never(output_format)


def _human(outcome: PlanOutcome, style: Style) -> str:
    plan = outcome.plan
    return "" if plan is None else _with_denials(plan, outcome.denials, style, actor=outcome.actor)


def _with_denials(plan: Plan, denials: tuple[Denial, ...], style: Style, *, actor: str) -> str:
    text = plan_text(plan, style)
    if denials:
        lines = [style.strong(f"An apply by {visible(actor)} is refused:")]
        shown, more = shortened(denials)
        lines += [f"  {style.mark('!')} {item.address}: {item.message}" for item in shown]
        lines += [f"  {style.mark('!')} {more}"] if more else []
        text += "\n\n" + "\n".join(lines)
    return text
