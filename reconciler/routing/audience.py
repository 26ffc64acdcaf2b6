"""Who may send through a connector, as a value that can be shown and compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconciler.model.directory import Directory
    from reconciler.model.permissions import Permissions, Principals

ANYONE = "any internal user"
"""What a connector's users are called when none are named."""


@dataclass(frozen=True, slots=True)
class Audience:
    """Some people: everybody inside, or exactly ``members``; and partners, if they are let in.

    ``members`` are case-folded names, groups expanded; ``label`` says it as the configuration does.
    """

    everyone: bool
    members: frozenset[str]
    partners: bool
    label: str


def users_of(permissions: Permissions, directory: Directory) -> Audience:
    """Everybody who may send through the connector that ``permissions`` are about."""
    members = directory.expand(permissions.users)
    label = _label(permissions.users, members) if permissions.users else ANYONE
    if permissions.enable_b2b and not permissions.users:
        label += " or partner"
    return Audience(not permissions.users, members, permissions.enable_b2b, label)


def administrators_of(permissions: Permissions, directory: Directory) -> Audience:
    """Everybody who may change the connector; ``everyone`` then means any Administrator."""
    members = directory.expand(permissions.administrators)
    label = (
        _label(permissions.administrators, members)
        if permissions.administrators
        else "any Administrator"
    )
    return Audience(not permissions.administrators, members, partners=False, label=label)


def refusal(permissions: Permissions, directory: Directory, actor: str) -> str:
    """Why ``actor`` may not send through the connector; empty if they may.

    A partner needs ``enable_b2b`` even when they are named among the users.
    """
    name = permissions.connector
    if not directory.is_internal(actor) and not permissions.enable_b2b:
        return f"{actor} is an external partner, and {name} has not enabled B2B"
    if permissions.users and not directory.includes(permissions.users, actor):
        return f"{actor} is not among the users of {name}"
    return ""


def _label(principals: Principals, members: frozenset[str]) -> str:
    names = [*(f"group {group}" for group in principals.groups), *principals.users]
    people = "user" if len(members) == 1 else "users"
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")  # noqa: PLR2004 - what fits a line
    return f"{shown} ({len(members)} {people})" if principals.groups else shown
