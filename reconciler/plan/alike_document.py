"""Changes that are alike, in the published form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.model.address import Kind
from reconciler.model.resource import JSON
from reconciler.plan.alike import FieldForm, alike
from reconciler.plan.changes import Action, actions_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.plan.changes import Change


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupField:
    """A field that all changes of a group have.

    With the ``form`` ``by_name``, ``${name}`` in ``before`` and ``after`` stands for the name of the resource,
    and ``${NAME}`` for it in capitals with underscores. With ``differs`` both are null: the values are in
    the resource changes.
    """

    path: str
    form: FieldForm
    before: JSON
    after: JSON


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


def group_documents(changes: Iterable[Change]) -> tuple[GroupDocument, ...]:
    """Convert the groups among these changes to their published form."""
    return tuple(
        GroupDocument(
            actions=actions_of(item.changes[0]),
            kind=item.kind,
            provider=item.provider,
            fields=tuple(
                GroupField(path=row.path, form=row.form, before=row.before, after=row.after)
                for row in item.fields
            ),
            addresses=tuple(map(str, item.addresses)),
        )
        for item in alike(changes)
    )
