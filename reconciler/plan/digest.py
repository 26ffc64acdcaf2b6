"""The digest of a plan, from the canonical JSON of its document: an apply records it."""

from __future__ import annotations

from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Final, cast

from reconciler.model.canonical import CanonicalText, canonical_text, document_digest, document_text
from reconciler.plan.document import Form, ungrouped_document

if TYPE_CHECKING:
    from reconciler.model.resource import JSON, Resource
    from reconciler.plan.document import RouteDocument, TestDocument
    from reconciler.plan.planner import Plan
    from reconciler.plan.retest import ToTest
    from reconciler.routing.table import EffectiveRoute


def plan_digest(plan: Plan) -> str:
    """The digest of a plan's content; equal plans, and only they, have equal digests.

    Groups of similar changes are left out: they follow from the changes, and are expensive to find.
    """
    return document_digest(ungrouped_document(plan, _AS_TEXT))


def _specification_as_text(resource: Resource) -> dict[str, JSON]:
    return cast("dict[str, JSON]", CanonicalText(canonical_text(resource)))


def _routes_as_text(rows: tuple[EffectiveRoute, ...]) -> tuple[RouteDocument, ...]:
    texts = [
        f'{{"as_address":{_quoted(row.as_address)},"reason":{_quoted(row.reason)},"sender":{_quoted(row.sender)}'
        f',"users":{_quoted(row.audience.label)},"via":{_quoted(row.via)}}}'
        for row in rows
    ]
    return cast("tuple[RouteDocument, ...]", CanonicalText(f"[{','.join(texts)}]"))


def _quoted(text: str | None) -> str:
    return "null" if text is None else encode_basestring(text)


def _tests_as_text(tests: tuple[ToTest, ...]) -> tuple[TestDocument, ...]:
    return cast("tuple[TestDocument, ...]", document_text(tests))


_AS_TEXT: Final = Form(_specification_as_text, _routes_as_text, _tests_as_text)
"""As the text that it has in canonical JSON, which is written as it is."""
