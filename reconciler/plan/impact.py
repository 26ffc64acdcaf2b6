"""The blast radius: who gains or loses what, and whose mail goes another way."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from reconciler.model.permissions import NOBODY, Permissions, Principals
from reconciler.routing.audience import Audience, administrators_of, users_of
from reconciler.routing.table import EffectiveRoute

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.directory import Directory
    from reconciler.model.snapshot import Snapshot


class Right(StrEnum):
    """What somebody may do."""

    USE = "use"
    ADMINISTER = "administer"
    ADMINISTRATOR = "administrator"
    MANAGE_DATA_SOURCES = "manage_data_sources"


@dataclass(frozen=True, slots=True)
class AccessChange:
    """Who gains or loses a right.

    ``subject`` is the connector, or empty for a role. ``gained`` and ``lost`` name the people who can
    be named; ``before`` and ``after`` say it as the configuration does, which also covers everybody
    who cannot. ``widened`` is true if somebody gains, ``narrowed`` if somebody loses.
    """

    right: Right
    subject: str
    before: str
    after: str
    gained: tuple[str, ...]
    lost: tuple[str, ...]
    widened: bool
    narrowed: bool


@dataclass(frozen=True, slots=True)
class Reroute:
    """A sender whose mail goes another way than before."""

    before: EffectiveRoute
    after: EffectiveRoute


@dataclass(frozen=True, slots=True)
class Impact:
    """Everything that people will notice."""

    access: tuple[AccessChange, ...] = ()
    rerouted: tuple[Reroute, ...] = ()


def reroutes(
    before: tuple[EffectiveRoute, ...], after: tuple[EffectiveRoute, ...]
) -> tuple[Reroute, ...]:
    """Senders who had a way before and have another one after."""
    old = {row.sender.casefold(): row for row in before}
    return tuple(
        Reroute(old[row.sender.casefold()], row)
        for row in after
        if row.sender.casefold() in old
        and old[row.sender.casefold()].destination != row.destination
    )


def access_changes(
    before: Snapshot, after: Snapshot, renames: tuple[tuple[str, str], ...]
) -> tuple[AccessChange, ...]:
    """Who gains or loses the use or the administration of what, roles first."""
    old_directory, new_directory = before.directory, after.directory
    return (
        *_roles(before, after, old_directory, new_directory),
        *_connectors(before, after, (old_directory, new_directory), dict(renames)),
    )


def _roles(
    before: Snapshot, after: Snapshot, old: Directory, new: Directory
) -> Iterator[AccessChange]:
    for right, field in (
        (Right.ADMINISTRATOR, "administrators"),
        (Right.MANAGE_DATA_SOURCES, "manage_data_sources"),
    ):
        left: Principals = getattr(before.roles, field, NOBODY)
        right_side: Principals = getattr(after.roles, field, NOBODY)
        was = Audience(everyone=False, members=old.expand(left), partners=False, label=_says(left))
        now = Audience(
            everyone=False, members=new.expand(right_side), partners=False, label=_says(right_side)
        )
        yield from _compare(right, "", was, now)


def _connectors(
    before: Snapshot,
    after: Snapshot,
    directories: tuple[Directory, Directory],
    renames: dict[str, str],
) -> Iterator[AccessChange]:
    old_directory, new_directory = directories
    stored = {item.name for item in before.connectors}
    left = {item.connector: item for item in before.permissions}
    right = {item.connector: item for item in after.permissions}
    for connector in after.connectors:
        name = connector.name
        origin = name if name in stored else renames.get(name, name)
        if origin not in stored:
            continue  # a new connector: its permissions show with its creation
        old = left.get(origin, Permissions(connector=origin))
        new = right.get(name, Permissions(connector=name))
        yield from _compare(
            Right.USE, name, users_of(old, old_directory), users_of(new, new_directory)
        )
        yield from _compare(
            Right.ADMINISTER,
            name,
            administrators_of(old, old_directory),
            administrators_of(new, new_directory),
        )


def _compare(right: Right, subject: str, was: Audience, now: Audience) -> Iterator[AccessChange]:
    gained, lost = now.members - was.members, was.members - now.members
    if was.everyone or now.everyone:
        # Those who are named on one side only are among "everybody" on the other.
        gained, lost = frozenset(), frozenset()
    widened = bool(gained) or now.everyone > was.everyone or now.partners > was.partners
    narrowed = bool(lost) or was.everyone > now.everyone or was.partners > now.partners
    if widened or narrowed:
        yield AccessChange(
            right,
            subject,
            was.label,
            now.label,
            tuple(sorted(gained)),
            tuple(sorted(lost)),
            widened=widened,
            narrowed=narrowed,
        )


def _says(principals: Principals) -> str:
    names = [*(f"group {group}" for group in principals.groups), *principals.users]
    return ", ".join(names) or "nobody"
