"""A plan with what the actor may not do, in each of its forms."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.plan.document import (
    AuthorizationDocument,
    DenialDocument,
    PlanDocument,
    to_document,
)
from reconciler.render.human.plan import plan_text
from reconciler.render.json import to_json
from reconciler.render.markdown import plan_markdown
from reconciler.render.visible import visible

if TYPE_CHECKING:
    from reconciler.apply.authorise import Denial
    from reconciler.plan.planner import Plan
    from reconciler.render.style import Style


def document_for(plan: Plan, denials: tuple[Denial, ...], actor: str) -> PlanDocument:
    """The document of a plan, with what ``actor`` may not do of it."""
    denied = tuple(
        DenialDocument(address=str(item.address), message=item.message) for item in denials
    )
    judged = AuthorizationDocument(actor=actor, denied=denied)
    return replace(to_document(plan), authorization=judged)


def planned(plan: Plan, denials: tuple[Denial, ...], form: str, style: Style, *, actor: str) -> str:
    """Render as ``human``, ``markdown`` or ``json``."""
    if form == "json":
        return to_json(document_for(plan, denials, actor))
    if form == "markdown":
        return plan_markdown(plan, denials, actor)
    text = plan_text(plan, style)
    if denials:
        lines = [style.strong(f"An apply by {visible(actor)} is refused:")]
        lines += [f"  {style.mark('!')} {item.address}: {item.message}" for item in denials]
        text += "\n\n" + "\n".join(lines)
    return text
