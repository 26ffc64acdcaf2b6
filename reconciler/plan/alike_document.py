"""Groups of similar changes, in the published form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.model.address import Kind
from reconciler.model.resource import JSON
from reconciler.plan.alike import AlikeChanges, FieldForm, alike
from reconciler.plan.changes import Action, actions_of
from reconciler.plan.value_source import NO_SOURCES, ResourceSources, ValueSource, shared_sources

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.plan.changes import Change


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupField:
    """A field that all changes of a group have.

    With the ``form`` ``by_name``, ``${name}`` in ``before`` and ``after`` stands for the name of the resource,
    and ``${NAME}`` for it in capitals with underscores. With ``differs`` both are null: the values are in
    the resource changes. ``source`` is where all of the new values are written; null in a saved plan, and if
    they are not written in the same text.
    """

    path: str
    form: FieldForm
    before: JSON
    after: JSON
    source: ValueSource | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupDocument:
    """Changes of one kind that are alike; each is listed among the resource changes too.

    ``provider`` is the one that they share, or null.
    """

    actions: tuple[Action, ...]
    kind: Kind
    provider: str | None
    fields: tuple[GroupField, ...]
    addresses: tuple[str, ...]


def group_documents(
    changes: Iterable[Change], sources: ResourceSources = NO_SOURCES
) -> tuple[GroupDocument, ...]:
    """Convert the groups among these changes to their published form."""
    return tuple(_document(item, sources) for item in alike(changes))


def _document(group: AlikeChanges, sources: ResourceSources) -> GroupDocument:
    common = shared_sources(sources, group.addresses, [row.path for row in group.fields])
    return GroupDocument(
        actions=actions_of(group.changes[0]),
        kind=group.kind,
        provider=group.provider,
        fields=tuple(
            GroupField(
                path=row.path,
                form=row.form,
                before=row.before,
                after=row.after,
                source=common.get(row.path),
            )
            for row in group.fields
        ),
        addresses=tuple(map(str, group.addresses)),
    )
