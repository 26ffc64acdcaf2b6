"""Who may make which change, judged by the stored permissions, not the proposed ones.

A change cannot grant its own author the right to make it. This guards against mistakes and
leaves a trail; only the database's own grants stop an attacker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from msgspec import Struct

from reconciler.model.address import Address, Kind
from reconciler.model.directory import Roles
from reconciler.model.domain import address_key
from reconciler.plan.changes import Change, Create, Delete, Forget, Rename, RotateSecret, Update
from reconciler.plan.diff import connector_renames
from reconciler.wording import listed

if TYPE_CHECKING:
    from reconciler.model.snapshot import Snapshot, StoredState

_NO_ROLES = Roles()


class Denial(Struct, frozen=True):
    """A change that the actor may not make, and who may."""

    address: Address
    message: str


def denials(changes: tuple[Change, ...], current: StoredState, actor: str) -> tuple[Denial, ...]:
    """Every change that ``actor`` may not make; none in the first apply, which bootstraps.

    Without roles, or with roles that name no administrator, nobody could approve anything, so
    everybody is an Administrator.
    """
    if not current.serial or not changes:
        return ()
    judge = _Judge(current.snapshot, changes, actor)
    found = ((change, judge.objection(change)) for change in changes)
    return tuple(Denial(change.address, message) for change, message in found if message)


class _Judge:
    """The rights of one actor in one stored snapshot."""

    def __init__(self, stored: Snapshot, changes: tuple[Change, ...], actor: str) -> None:
        roles = stored.roles or _NO_ROLES
        directory = stored.directory
        administrators = stored.administrators
        self._actor = address_key(actor)
        self._roles = roles
        self._administrators = administrators
        self._directory = directory
        self._administrator = not administrators or self._actor in administrators
        self._manager = self._administrator or directory.includes(roles.manage_data_sources, actor)
        self._names = {item.name for item in stored.connectors}
        self._former = connector_renames(changes)
        self._deleted = {
            change.address.name
            for change in changes
            if isinstance(change, Delete | Forget) and change.address.kind is Kind.EMAIL_CONNECTOR
        }
        self._permissions = {item.connector: item for item in stored.permissions}

    def objection(self, change: Change) -> str:
        """Why the change is denied; empty if it is not."""
        kind = change.address.kind
        match kind:
            case Kind.EMAIL_CONNECTOR | Kind.PERMISSIONS:
                return self._about_connector(change)
            case Kind.GROUP | Kind.ROLES | Kind.GLOBAL_SMTP_POLICY | Kind.APPLICATION:
                # Anybody who knows an application's password can send as its user.
                return "" if self._administrator else self._requires_administrator
            case Kind.PROVIDER:
                return self._create_or_delete()
            case _:
                assert_never(kind)

    def _about_connector(self, change: Change) -> str:
        name = change.address.name
        name = self._former.get(name, name)
        whole = change.address.kind is Kind.EMAIL_CONNECTOR
        match change:
            case Create():
                # Permissions of a new connector come with it; those of a stored one are an edit.
                new = whole or name not in self._names
                return self._create_or_delete() if new else self._edit(name)
            case Delete() | Forget():
                gone = whole or name in self._deleted
                return self._create_or_delete() if gone else self._edit(name)
            case Update() | Rename() | RotateSecret():
                return self._edit(name)
            case _:
                assert_never(change)

    @property
    def _requires_administrator(self) -> str:
        return f"requires an Administrator{_named(self._administrators)}"

    def _create_or_delete(self) -> str:
        if self._manager:
            return ""
        names = self._administrators | self._directory.expand(self._roles.manage_data_sources)
        return f"requires an Administrator or Manage data sources{_named(names)}"

    def _edit(self, connector: str) -> str:
        permissions = self._permissions.get(connector)
        if permissions is None or not permissions.administrators:
            return "" if self._administrator else self._requires_administrator
        if self._directory.includes(permissions.administrators, self._actor):
            return ""
        names = self._directory.expand(permissions.administrators)
        return f"requires one of the administrators of {connector}{_named(names)}"


def _named(users: frozenset[str]) -> str:
    """Their names; a group may have no members."""
    return f" ({listed(sorted(users))})" if users else ""
