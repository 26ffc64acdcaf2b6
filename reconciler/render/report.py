"""The report of an apply: the plan, the tests, and the result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, assert_never

from reconciler.plan.document import PlanDocument
from reconciler.probe.report import TestReport, report
from reconciler.render.formats import OutputFormat
from reconciler.render.human.plan import NO_CHANGES
from reconciler.render.human.tests import result_text, summary
from reconciler.render.json import to_json
from reconciler.render.markdown import plan_markdown
from reconciler.render.plan import document_for
from reconciler.render.terminal import PLAIN
from reconciler.wording import TO_ACT_ON, listed

if TYPE_CHECKING:
    from reconciler.apply.authorise import Denial
    from reconciler.apply.executor import Applied
    from reconciler.plan.planner import Plan
    from reconciler.probe.result import ConnectorResult
    from reconciler.render.formats import ChangeReport
    from reconciler.render.terminal import Style

Outcome = Literal["applied", "unchanged", "not_approved", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyReport:
    """The outcome of an apply.

    ``plan`` is null if it failed before planning. ``serial`` is that of the written revision, or
    null; ``error`` says why it failed.
    """

    format_version: Literal["1.0"] = "1.0"
    outcome: Outcome
    error: str | None
    serial: int | None
    plan: PlanDocument | None
    tests: TestReport


def apply_report(
    output_format: ChangeReport,
    *,
    outcome: Outcome,
    error: str | None,
    serial: int | None,
    planned: tuple[Plan, tuple[Denial, ...], str] | None,
    results: tuple[ConnectorResult, ...],
) -> str:
    """Render the report; ``planned`` is the plan, the denied changes, and the actor."""
    match output_format:
        case OutputFormat.JSON:
            return to_json(
                ApplyReport(
                    outcome=outcome,
                    error=error,
                    serial=serial,
                    plan=document_for(*planned) if planned else None,
                    tests=report(results),
                )
            )
        case OutputFormat.MARKDOWN:
            return _markdown(outcome, error, serial, planned, results)
        case _:
            assert_never(output_format)


def _markdown(
    outcome: Outcome,
    error: str | None,
    serial: int | None,
    planned: tuple[Plan, tuple[Denial, ...], str] | None,
    results: tuple[ConnectorResult, ...],
) -> str:
    parts = [plan_markdown(*planned)] if planned else []
    if results:
        lines = "\n".join(result_text(result, PLAIN) for result in results)
        parts.append(f"**{summary(results)}**\n\n````\n{lines}\n````")
    ends = {
        "applied": f"Applied as revision {serial}.",
        "unchanged": "There was nothing to write.",
        "not_approved": "Not approved, so nothing was applied.",
        "failed": "Failed. " + " ".join((error or "").split()),
    }
    parts.append(f"**{ends[outcome]}**")
    return "\n\n".join(parts)


def applied(outcome: Applied | None, style: Style) -> str:
    """The closing lines; None for an apply that nobody approved."""
    if outcome is None:
        return "Not applied."
    lines = []
    if outcome.revision is None:
        lines.append(NO_CHANGES if not outcome.left_out else "Nothing was left to apply.")
        retested = [item.connector for item in outcome.results if item.passed]
        if retested:
            lines.append(f"Tested again and found ready: {listed(retested)}.")
    else:
        counts = outcome.revision.counts
        done = f"{counts.added} added, {counts.changed} changed, {counts.destroyed} destroyed."
        lines.append(style.added(style.strong(f"Apply complete! Resources: {done}")))
        lines.append(f"Details saved. The stored state is at serial {outcome.revision.serial}.")
    if outcome.left_out:
        names = listed(outcome.left_out, TO_ACT_ON)
        lines.append(style.removed(f"Left out, because their test failed: {names}"))
    if outcome.withheld:
        held = listed(outcome.withheld, TO_ACT_ON)
        lines.append(style.removed(f"Also not applied, because it depends on them: {held}"))
    return "\n".join(lines)
