"""A plan as JSON, with the changes that the actor may not make, and the outcome of planning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

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
from reconciler.probe.report import TestReport, report
from reconciler.values import members, replace

if TYPE_CHECKING:
    from reconciler.apply.authorise import Denial
    from reconciler.plan.planner import Plan
    from reconciler.render.plan import PlanOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanReport(PlanDocument):
    """A plan with the outcome of planning.

    ``error`` says why there is no plan, or why its live tests ended early. Without a plan, all lists
    are empty. ``diagnostics`` are the problems of the configuration. ``test_results`` is null if
    nothing was tested.
    """

    error: str | None = None
    diagnostics: tuple[Diagnostic, ...] = ()
    test_results: TestReport | None = None


def document_for(plan: Plan, denials: tuple[Denial, ...], actor: str) -> PlanDocument:
    """The document of a plan, with the changes that ``actor`` may not make; not checked with a base."""
    denied = tuple(
        DenialDocument(address=str(item.address), message=item.message) for item in denials
    )
    judged = None if plan.base else AuthorizationDocument(actor=actor, denied=denied)
    return replace(with_sources(to_document(plan), plan), authorization=judged)


def plan_document(outcome: PlanOutcome) -> PlanReport:
    """Convert the outcome of planning to its published form."""
    document = _NOTHING
    if outcome.plan is not None:
        document = document_for(outcome.plan, outcome.denials, outcome.actor)
    return PlanReport(
        **members(document),
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
