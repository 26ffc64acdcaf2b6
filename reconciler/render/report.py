"""The report of an apply: what was planned, how the tests went, what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from reconciler.plan.document import PlanDocument
from reconciler.probe.report import TestReport, report
from reconciler.render.human.tests import result_text, summary
from reconciler.render.json import to_json
from reconciler.render.markdown import plan_markdown
from reconciler.render.planned import document_for
from reconciler.render.style import PLAIN

if TYPE_CHECKING:
    from reconciler.apply.authorise import Denial
    from reconciler.plan.planner import Plan
    from reconciler.probe.result import ConnectorResult

Outcome = Literal["applied", "unchanged", "not_approved", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyReport:
    """How an apply went. ``plan`` is null if it did not get as far as planning.

    ``serial`` is that of the revision written, null if none was; ``error`` says why it failed.
    """

    format_version: Literal["1.0"] = "1.0"
    outcome: Outcome
    error: str | None
    serial: int | None
    plan: PlanDocument | None
    tests: TestReport


def apply_report(
    form: str,
    *,
    outcome: Outcome,
    error: str | None,
    serial: int | None,
    planned: tuple[Plan, tuple[Denial, ...], str] | None,
    results: tuple[ConnectorResult, ...],
) -> str:
    """Render as ``json`` or ``markdown``; ``planned`` is the plan, what is denied, and to whom."""
    if form == "json":
        return to_json(
            ApplyReport(
                outcome=outcome,
                error=error,
                serial=serial,
                plan=document_for(*planned) if planned else None,
                tests=report(results),
            )
        )
    parts = [plan_markdown(*planned)] if planned else []
    if results:
        lines = "\n".join(result_text(result, PLAIN) for result in results)
        parts.append(f"**{summary(results)}**\n\n````\n{lines}\n````")
    ends = {
        "applied": f"Applied as revision {serial}.",
        "unchanged": "Nothing had to be written.",
        "not_approved": "Not approved, so nothing was applied.",
        "failed": "Failed. " + " ".join((error or "").split()),
    }
    parts.append(f"**{ends[outcome]}**")
    return "\n\n".join(parts)
