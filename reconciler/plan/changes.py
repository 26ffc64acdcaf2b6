"""The closed union of changes that a plan is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self, TypeAlias, assert_never

from msgspec import Struct

from reconciler.model.address import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.model.address import Address
    from reconciler.model.resource import JSON, Resource
    from reconciler.model.secret_ref import SecretRef


class FieldChange(Struct, frozen=True):
    """One field that differs. ``path`` is dotted, as in ``smtp.port``; absent values are None."""

    path: str
    before: JSON
    after: JSON


class Create(Struct, frozen=True):
    """The resource is new."""

    after: Resource

    @property
    def address(self) -> Address:
        """The address of the new resource."""
        return self.after.address


class Update(Struct, frozen=True):
    """Fields of the resource change."""

    before: Resource
    after: Resource
    fields: tuple[FieldChange, ...]

    @property
    def address(self) -> Address:
        """The address of the changed resource."""
        return self.after.address


class Rename(Struct, frozen=True):
    """The resource gets another name, and possibly other fields; it keeps its history."""

    before: Resource
    after: Resource
    fields: tuple[FieldChange, ...]

    @property
    def address(self) -> Address:
        """The new address."""
        return self.after.address


class Delete(Struct, frozen=True):
    """The resource is deleted."""

    before: Resource

    @property
    def address(self) -> Address:
        """The address of the deleted resource."""
        return self.before.address


class Forget(Struct, frozen=True):
    """The state forgets the resource: by ``state forget``, never by a plan."""

    before: Resource

    @property
    def address(self) -> Address:
        """The address of the forgotten resource."""
        return self.before.address


class RotateSecret(Struct, frozen=True):
    """The references are the same, but some of them resolve to a new secret.

    Comes in addition to the Update or Rename of the same connector, if there is one.
    """

    connector: Resource
    references: tuple[SecretRef, ...]

    @property
    def address(self) -> Address:
        """The address of the connector with the secret."""
        return self.connector.address


Change = Create | Update | Rename | Delete | Forget | RotateSecret
"""Everything that can happen to a resource; match it with ``assert_never``."""


Action: TypeAlias = Literal["create", "update", "delete", "forget", "rename", "rotate_secret"]


def actions_of(change: Change) -> tuple[Action, ...]:
    """What a change does, in the words of a plan for machines."""
    match change:
        case Create():
            return ("create",)
        case Update():
            return ("update",)
        case Rename(fields=fields):
            return ("rename", "update") if len(fields) > 1 else ("rename",)
        case Delete():
            return ("delete",)
        case Forget():
            return ("forget",)
        case RotateSecret():
            return ("rotate_secret",)
        case _:
            assert_never(change)


class ChangeCounts(Struct, frozen=True):
    """How many resources a plan, a revision or a difference adds, changes and destroys.

    A resource that is renamed, updated and gets another secret changes once. A forgotten resource
    counts as destroyed: senders can no longer use it.
    """

    added: int = 0
    changed: int = 0
    destroyed: int = 0

    @classmethod
    def of(cls, changes: Iterable[Change]) -> Self:
        """Count changes in any order."""
        added, destroyed, changed = 0, 0, set()
        for change in changes:
            match change:
                case Create():
                    added += 1
                case Update() | Rename() | RotateSecret():
                    changed.add(change.address)
                case Delete() | Forget():
                    destroyed += 1
                case _:
                    assert_never(change)
        return cls(added, len(changed), destroyed)


_RANK = {kind: rank for rank, kind in enumerate(Kind)}


def ordered(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Providers, groups, roles, connectors, permissions, policy; then deletes in reverse.

    Within a kind by name, and a rotation after the update of its connector.
    """
    every = tuple(changes)
    deletes = [change for change in every if isinstance(change, Delete | Forget)]
    others = [change for change in every if not isinstance(change, Delete | Forget)]
    others.sort(key=lambda item: (*_key(item), isinstance(item, RotateSecret)))
    deletes.sort(key=_key_of_delete)
    return (*others, *deletes)


def _key_of_delete(change: Change) -> tuple[int, str]:
    rank, name = _key(change)
    return -rank, name


def _key(change: Change) -> tuple[int, str]:
    kind, name = change.address
    return _RANK[kind], name
