"""The blast radius: who gains or loses what, and whose mail takes another route."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.model.domain import address_key
from reconciler.model.permissions import NOBODY, Permissions, Principals
from reconciler.routing.audience import Audience, Audiences
from reconciler.routing.table import ANY_OTHER, EffectiveRoute
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.directory import Directory
    from reconciler.model.snapshot import Snapshot


class Right(StrEnum):
    """A right that a user can have."""

    USE = "use"
    ADMINISTER = "administer"
    INTERNAL = "internal"
    ADMINISTRATOR = "administrator"
    MANAGE_DATA_SOURCES = "manage_data_sources"


class AccessChange(Struct, frozen=True):
    """Who gains or loses a right.

    ``subject`` is the connector, or empty for a role. ``gained`` and ``lost`` list people by name;
    ``before`` and ``after`` use the terms of the configuration, which cover everybody else too.
    ``widened`` is true if somebody gains a right, ``narrowed`` if somebody loses one.
    """

    right: Right
    subject: str
    before: str
    after: str
    gained: tuple[str, ...]
    lost: tuple[str, ...]
    widened: bool
    narrowed: bool


class Reroute(Struct, frozen=True):
    """A sender whose mail takes a different route."""

    before: EffectiveRoute
    after: EffectiveRoute


class Impact(Struct, frozen=True):
    """Everything that people will notice."""

    access: tuple[AccessChange, ...] = ()
    rerouted: tuple[Reroute, ...] = ()


def reroutes(
    before: tuple[EffectiveRoute, ...], after: tuple[EffectiveRoute, ...]
) -> tuple[Reroute, ...]:
    """Senders who had a route before and have another one after.

    A sender whose connector is deleted becomes one of "any other sender", and takes that route.
    """
    if before is after:
        return ()
    old = {address_key(row.sender): row for row in before}
    new = {address_key(row.sender): row for row in after}
    rest = new.get(ANY_OTHER)
    ways = [(old[key], row) for key, row in new.items() if key in old]
    if rest is not None:
        ways += [
            (row, replace(rest, sender=row.sender)) for key, row in old.items() if key not in new
        ]
    return tuple(Reroute(was, now) for was, now in ways if was.destination != now.destination)


def access_changes(
    before: Snapshot,
    after: Snapshot,
    renames: dict[str, str],
    audiences: tuple[Audiences, Audiences],
) -> tuple[AccessChange, ...]:
    """Who gains or loses which right, roles first.

    ``renames`` are new and former names of connectors. ``audiences`` are those before and after: a
    single value if the two directories agree.
    """
    was, now = audiences
    return (
        *_roles(before, after, was.directory, now.directory),
        *_connectors(before, after, audiences, renames),
    )


def _roles(
    before: Snapshot, after: Snapshot, old: Directory, new: Directory
) -> Iterator[AccessChange]:
    if before.connectors or before.roles:
        yield from _internal(old, new)
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


def _internal(before: Directory, after: Directory) -> Iterator[AccessChange]:
    """Compare who counts as internal, which decides on the use of every open connector."""
    was, now = before.internal_domains, after.internal_domains
    widened, narrowed = bool(now - was), bool(was - now)
    if widened or narrowed:
        labels = [", ".join(sorted(domains)) or "nobody with an address" for domains in (was, now)]
        yield AccessChange(
            Right.INTERNAL, "", labels[0], labels[1], (), (), widened=widened, narrowed=narrowed
        )


def _connectors(
    before: Snapshot,
    after: Snapshot,
    audiences: tuple[Audiences, Audiences],
    renames: dict[str, str],
) -> Iterator[AccessChange]:
    was, now = audiences
    directories = was.directory, now.directory
    use, administer = _Comparison(Right.USE, directories), _Comparison(Right.ADMINISTER)
    stored = {item.name for item in before.connectors}
    left = {item.connector: item for item in before.permissions}
    right = {item.connector: item for item in after.permissions}
    for connector in after.connectors:
        name = connector.name
        origin = name if name in stored else renames.get(name, name)
        if origin not in stored:
            continue  # a new connector: its permissions are shown with its creation
        if was is now and left.get(origin) is right.get(name):
            continue
        old = left.get(origin, Permissions(connector=origin))
        new = right.get(name, Permissions(connector=name))
        yield from use.of(name, was.users_of(old), now.users_of(new))
        yield from administer.of(name, was.administrators_of(old), now.administrators_of(new))


class _Comparison:
    """Compares the audiences of many connectors, each distinct pair only once."""

    def __init__(
        self, right: Right, directories: tuple[Directory, Directory] | None = None
    ) -> None:
        self._right = right
        self._directories = directories
        self._done: dict[tuple[Audience, Audience], tuple[AccessChange, ...]] = {}

    def of(self, subject: str, was: Audience, now: Audience) -> Iterator[AccessChange]:
        """Compare those of one connector."""
        if (was, now) not in self._done:
            changes = tuple(_compare(self._right, "", was, now, self._directories))
            self._done[was, now] = changes
        for change in self._done[was, now]:
            yield replace(change, subject=subject)


def _compare(
    right: Right,
    subject: str,
    was: Audience,
    now: Audience,
    directories: tuple[Directory, Directory] | None = None,
) -> Iterator[AccessChange]:
    old, new = directories or (None, None)
    gained = [name for name in now.members - was.members if not _covered(name, was, old)]
    lost = [name for name in was.members - now.members if not _covered(name, now, new)]
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


def _covered(name: str, audience: Audience, directory: Directory | None) -> bool:
    """Whether somebody who is named in only one of the two audiences belongs to "everybody" in the other."""
    inside = directory is None or directory.is_internal(name)
    return audience.everyone and (audience.partners or inside)


def _says(principals: Principals) -> str:
    names = [*(f"group {group}" for group in principals.groups), *principals.users]
    return ", ".join(names) or "nobody"
