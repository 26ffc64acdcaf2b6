"""A plan with what the actor may not do, in each of its formats, and the reports of planning."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, assert_never

from reconciler.apply.authorise import Denial
from reconciler.diagnostics import Diagnostic
from reconciler.plan.document import (
    AuthorizationDocument,
    DenialDocument,
    PlanDocument,
    RoutesDocument,
    SummaryDocument,
    to_document,
)
from reconciler.plan.document_sources import with_sources
from reconciler.plan.planner import Plan
from reconciler.probe.report import TestReport, report
from reconciler.probe.result import ConnectorResult
from reconciler.render.formats import OutputFormat
from reconciler.render.human.plan import plan_text
from reconciler.render.json import to_json
from reconciler.render.source_root import NO_ROOT, SourceRoot
from reconciler.render.terminal import visible
from reconciler.wording import shortened

if TYPE_CHECKING:
    from reconciler.render.formats import PlanFormat
    from reconciler.render.terminal import Style


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanReport(PlanDocument):
    """A plan with what came of planning.

    ``error`` says why there is no plan, or why the live tests of one ended early; without a plan every list
    is empty. ``diagnostics`` are the problems of the configuration. ``test_results`` is null where nothing
    was tested.
    """

    error: str | None = None
    diagnostics: tuple[Diagnostic, ...] = ()
    test_results: TestReport | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOutcome:
    """What planning came to: a plan, what ``actor`` may not do of it, and the results of live tests.

    ``plan`` is None if there is none; ``error`` then says why. ``project`` and ``environment`` are empty
    where there is none, or where the settings could not be read.
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


def document_for(plan: Plan, denials: tuple[Denial, ...], actor: str) -> PlanDocument:
    """The document of a plan, with what ``actor`` may not do of it; nobody's rights matter where it has a base."""
    denied = tuple(
        DenialDocument(address=str(item.address), message=item.message) for item in denials
    )
    judged = None if plan.base else AuthorizationDocument(actor=actor, denied=denied)
    return replace(with_sources(to_document(plan), plan), authorization=judged)


def plan_document(outcome: PlanOutcome) -> PlanReport:
    """Put what planning came to into the shape in which it is published."""
    document = _NOTHING
    if outcome.plan is not None:
        document = document_for(outcome.plan, outcome.denials, outcome.actor)
    members = {item.name: getattr(document, item.name) for item in fields(PlanDocument)}
    return PlanReport(
        **members,
        error=outcome.error,
        diagnostics=outcome.diagnostics,
        test_results=report(outcome.results, error=outcome.error) if outcome.results else None,
    )


_NOTHING = PlanDocument(
    lineage="",
    serial=0,
    resource_changes=(),
    summary=SummaryDocument(add=0, change=0, destroy=0),
    routes=RoutesDocument(before=(), after=(), rerouted=()),
    access_changes=(),
    new_credential_uses=(),
    tests=(),
    checks=(),
)


def planned(outcome: PlanOutcome, output_format: PlanFormat, style: Style) -> str:
    """A plan that was made, and what the actor may not do of it."""
    match output_format:
        case OutputFormat.HUMAN:
            return _human(outcome, style)
        case OutputFormat.MARKDOWN:
            from reconciler.render.pull_request import plan_comment  # noqa: PLC0415 - only where it is written

            return plan_comment(outcome)
        case OutputFormat.JSON:
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
