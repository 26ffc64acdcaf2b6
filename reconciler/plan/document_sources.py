"""A plan as a document, with the places where new values are written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.plan.alike_document import group_documents
from reconciler.values import replace

if TYPE_CHECKING:
    from reconciler.plan.document import PlanDocument, ResourceChange
    from reconciler.plan.planner import Plan
    from reconciler.plan.value_source import ResourceSource


def with_sources(document: PlanDocument, plan: Plan) -> PlanDocument:
    """Add where the new values of a plan are written."""
    if not plan.sources:
        return document
    return replace(
        document,
        resource_changes=tuple(
            _with_source(item, plan.sources.get(change.address))
            for item, change in zip(document.resource_changes, plan.changes, strict=True)
        ),
        groups=group_documents(plan.changes, plan.sources),
    )


def _with_source(item: ResourceChange, source: ResourceSource | None) -> ResourceChange:
    if source is None:
        return item
    fields = tuple(
        replace(field, source=source.fields.get(field.path)) for field in item.change.fields
    )
    return replace(item, change=replace(item.change, fields=fields, source=source.itself))
