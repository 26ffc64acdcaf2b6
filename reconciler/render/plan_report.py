"""The reports of planning: files for reviewers and for CI systems."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from reconciler.diagnostics import Severity
from reconciler.render.formats import OutputFormat
from reconciler.render.github import annotation, github
from reconciler.render.gitlab import gitlab
from reconciler.render.json import to_json
from reconciler.render.junit import JUnitCase, broken, connector_cases, junit_suite, problem_cases
from reconciler.render.plan_document import plan_document
from reconciler.render.pull_request import plan_comment
from reconciler.render.sarif import sarif
from reconciler.render.test import failed_test_annotations

if TYPE_CHECKING:
    from reconciler.render.formats import PlanReportFormat
    from reconciler.render.plan import PlanOutcome


def plan_report(outcome: PlanOutcome, output_format: PlanReportFormat) -> str:  # noqa: PLR0911 - a format each
    """The report of planning, for a file."""
    match output_format:
        case OutputFormat.JSON:
            return to_json(plan_document(outcome))
        case OutputFormat.MARKDOWN:
            return plan_comment(outcome)
        case OutputFormat.JUNIT:
            return junit_suite("reconciler plan", plan_cases(outcome))
        case OutputFormat.SARIF:
            return sarif(outcome.diagnostics, outcome.root, command="plan", error=outcome.error)
        case OutputFormat.GITLAB:
            return gitlab(outcome.diagnostics, outcome.root)
        case OutputFormat.GITHUB:
            return plan_annotations(outcome)
        case OutputFormat.HTML:
            from reconciler.render.html.plan import plan_page  # noqa: PLC0415 - only where it is written

            return plan_page(outcome)
        case _:
            assert_never(output_format)


def plan_cases(outcome: PlanOutcome) -> list[JUnitCase]:
    """A case for each problem, each limit, the actor's permissions, and each tested account."""
    cases = problem_cases(outcome.diagnostics)
    document = plan_document(outcome)
    for check in document.checks:
        failed = check.status == "fail"
        override = f"\nTo allow it: {check.override}" if check.override else ""
        cases.append(
            JUnitCase(
                of="limits",
                name=check.name,
                outcome="failure" if failed else "passed",
                kind=check.name if failed else "",
                message=check.message,
                text=f"{check.message}{override}" if failed else "",
            )
        )
    cases += [
        JUnitCase(
            of="rights",
            name=str(item.address),
            outcome="failure",
            kind="not_authorised",
            message=f"{outcome.actor} may not change it: {item.message}",
        )
        for item in outcome.denials
    ]
    if document.test_results is not None:
        cases += connector_cases(document.test_results)
    return [*cases, *broken(outcome.error)]


def plan_annotations(outcome: PlanOutcome) -> str:
    """Annotations for the configuration's problems, and for the reasons to refuse an apply."""
    violations = outcome.plan.violations if outcome.plan is not None else ()
    refused = [
        annotation(
            Severity.WARNING,
            f"limit: {item.limit}",
            item.message + (f"\nTo allow it: {item.override}" if item.override else ""),
        )
        for item in violations
    ]
    refused += [
        annotation(
            Severity.WARNING,
            str(item.address),
            f"{outcome.actor} may not change it: {item.message}",
        )
        for item in outcome.denials
    ]
    refused += failed_test_annotations(outcome.results)
    return github(outcome.diagnostics, outcome.root, *refused, error=outcome.error)
