"""The report of an apply: the plan, the tests, and the result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, assert_never

from reconciler.diagnostics import Diagnostic
from reconciler.plan.document import PlanDocument
from reconciler.probe.report import TestReport, report
from reconciler.render.formats import OutputFormat
from reconciler.render.json import to_json
from reconciler.render.plan_document import document_for

if TYPE_CHECKING:
    from reconciler.render.formats import PlanReportFormat
    from reconciler.render.plan import PlanOutcome

Outcome = Literal["applied", "unchanged", "not_approved", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyReport:
    """The outcome of an apply.

    ``plan`` is null if it failed before planning. ``serial`` is that of the written revision, or
    null; ``error`` says why it failed. ``diagnostics`` are the problems of the configuration.
    """

    format_version: Literal["1.0"] = "1.0"
    outcome: Outcome
    error: str | None
    serial: int | None
    plan: PlanDocument | None
    tests: TestReport
    diagnostics: tuple[Diagnostic, ...] = ()


def apply_report(  # noqa: PLR0911 - a format each
    output_format: PlanReportFormat, *, outcome: Outcome, serial: int | None, planned: PlanOutcome
) -> str:
    """Render the report; ``planned`` is the plan with the results of its tests, and what went wrong."""
    match output_format:
        case OutputFormat.JSON:
            plan = planned.plan
            return to_json(
                ApplyReport(
                    outcome=outcome,
                    error=planned.error,
                    serial=serial,
                    plan=document_for(plan, planned.denials, planned.actor) if plan else None,
                    tests=report(planned.results),
                    diagnostics=planned.diagnostics,
                )
            )
        case OutputFormat.MARKDOWN:
            from reconciler.render.pull_request import plan_comment  # noqa: PLC0415 - only where it is written

            return plan_comment(planned, command="apply", ending=_ending(outcome, serial))
        case OutputFormat.JUNIT:
            from reconciler.render.junit import JUnitCase, junit_suite  # noqa: PLC0415 - as above
            from reconciler.render.plan_report import plan_cases  # noqa: PLC0415 - as above

            end = JUnitCase(of="apply", name=outcome, output=_ending(outcome, serial))
            cases = plan_cases(planned)
            return junit_suite("reconciler apply", cases if outcome == "failed" else [*cases, end])
        case OutputFormat.SARIF:
            from reconciler.render.sarif import sarif  # noqa: PLC0415 - as above

            return sarif(planned.diagnostics, planned.root, command="apply", error=planned.error)
        case OutputFormat.GITLAB:
            from reconciler.render.gitlab import gitlab  # noqa: PLC0415 - as above

            return gitlab(planned.diagnostics, planned.root)
        case OutputFormat.GITHUB:
            from reconciler.render.plan_report import plan_annotations  # noqa: PLC0415 - as above

            return plan_annotations(planned)
        case OutputFormat.HTML:
            from reconciler.render.html.plan import plan_page  # noqa: PLC0415 - as above

            done = outcome == "applied"
            return plan_page(planned, command="apply", ending=_ending(outcome, serial), done=done)
        case _:
            assert_never(output_format)


def _ending(outcome: Outcome, serial: int | None) -> str:
    ends = {
        "applied": f"Applied as revision {serial}.",
        "unchanged": "There was nothing to write.",
        "not_approved": "Not approved, so nothing was applied.",
        "failed": "Failed.",
    }
    return ends[outcome]
