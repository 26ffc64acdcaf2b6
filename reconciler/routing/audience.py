"""The users of a connector, as a value to show and compare."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.model.domain import address_key
from reconciler.wording import counted, listed

if TYPE_CHECKING:
    from reconciler.model.directory import Directory
    from reconciler.model.permissions import Permissions, Principals

ANYONE = "any internal user"
"""The label for the users of a connector if none are named."""


class Audience(Struct, frozen=True):
    """A set of users: ``members`` by name, and all internal users if ``everyone`` is set.

    ``partners`` includes every external partner. ``members`` are case-folded, groups expanded;
    ``label`` is its description in the terms of the configuration.
    """

    everyone: bool
    members: frozenset[str]
    partners: bool
    label: str


def users_of(permissions: Permissions, directory: Directory) -> Audience:
    """Everybody who may send through the connector of ``permissions``.

    A named partner counts only with ``enable_b2b``, as in :func:`refusal`.
    """
    if not permissions.users:
        label = f"{ANYONE} or partner" if permissions.enable_b2b else ANYONE
        return Audience(
            everyone=True, members=frozenset(), partners=permissions.enable_b2b, label=label
        )
    members = directory.expand(permissions.users)
    partners = directory.partners(permissions.users)
    if partners and not permissions.enable_b2b:
        members, partners = members - partners, frozenset()
    return Audience(
        everyone=False,
        members=members,
        partners=False,
        label=_label(permissions.users, members, partners),
    )


def administrators_of(permissions: Permissions, directory: Directory) -> Audience:
    """Everybody who may change the connector; ``everyone`` then means any Administrator."""
    members = directory.expand(permissions.administrators)
    label = (
        _label(permissions.administrators, members, frozenset())
        if permissions.administrators
        else "any Administrator"
    )
    return Audience(not permissions.administrators, members, partners=False, label=label)


class Audiences:
    """The audiences of many connectors.

    Equal ones are computed once and shared: thousands of connectors may let the same thousands of
    people send.
    """

    def __init__(self, directory: Directory) -> None:
        self.directory = directory
        self._users: dict[tuple[Principals, bool], Audience] = {}
        self._administrators: dict[Principals, Audience] = {}

    def later(self, directory: Directory) -> Audiences:
        """The audiences for a later directory: these, with their cache, if the directories agree."""
        return self if self.directory.answers_as(directory) else Audiences(directory)

    def users_of(self, permissions: Permissions) -> Audience:
        """Everybody who may send through the connector."""
        key = (permissions.users, permissions.enable_b2b)
        found = self._users.get(key)
        if found is None:
            found = self._users[key] = users_of(permissions, self.directory)
        return found

    def administrators_of(self, permissions: Permissions) -> Audience:
        """Everybody who may change the connector."""
        key = permissions.administrators
        found = self._administrators.get(key)
        if found is None:
            found = self._administrators[key] = administrators_of(permissions, self.directory)
        return found


def refusal(permissions: Permissions, directory: Directory, actor: str) -> str:
    """Say why ``actor`` may not send through the connector; empty if they may.

    A partner needs ``enable_b2b`` even when they are named among the users.
    """
    name = permissions.connector
    if not directory.is_internal(actor) and not permissions.enable_b2b:
        return f"{actor} is an external partner, but {name} has not enabled B2B"
    if permissions.users and not directory.includes(permissions.users, actor):
        return f"{actor} is not among the users of {name}"
    return ""


def _label(principals: Principals, members: frozenset[str], partners: frozenset[str]) -> str:
    names = [f"group {group}" for group in principals.groups]
    names += [user for user in principals.users if address_key(user) in members]
    if not names:
        return "nobody"
    shown = listed(names)
    if not principals.groups:
        return shown
    people = counted(len(members) - len(partners), "user")
    if partners:
        people += f" and {counted(len(partners), 'partner')}"
    return f"{shown} ({people})"
