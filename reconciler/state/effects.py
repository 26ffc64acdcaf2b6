"""The effects of changes on the stored resources, as values that each store writes in its own way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, assert_never

from msgspec import Struct

from reconciler.errors import StateConflict, StateError
from reconciler.model.address import Address
from reconciler.model.connector import Connector
from reconciler.model.resource import Resource
from reconciler.plan.changes import Change, Create, Delete, Forget, Rename, RotateSecret, Update
from reconciler.state import specs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.model.fingerprint import Fingerprint
    from reconciler.model.secret_ref import SecretRef
    from reconciler.state.base import Commit


class Event(Struct, frozen=True):
    """One line of history. ``uid`` stays with a resource for life, whatever its name."""

    uid: str
    address: Address
    action: str
    spec: str | None
    renamed_from: str = ""


@dataclass(slots=True)
class Effects:
    """The effects of one revision, by uid.

    ``live`` maps the addresses that exist afterwards. ``specs`` holds the canonical JSON of
    whatever was created or changed, made once because that takes longer than writing it.
    ``unsettled`` are connectors whose last test no longer applies.
    """

    live: dict[Address, str]
    created: dict[str, Resource] = field(default_factory=dict)
    changed: dict[str, Resource] = field(default_factory=dict)
    specs: dict[str, str] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    unsettled: set[str] = field(default_factory=set)
    events: list[Event] = field(default_factory=list)


def effects(changes: tuple[Change, ...], live: Mapping[Address, str], serial: int) -> Effects:
    """Follow the changes in order, starting from the addresses that exist.

    Raises StateConflict for a change that does not fit: it creates what exists, or changes what
    does not.
    """
    result = Effects(dict(live))
    for position, change in enumerate(changes):
        _follow(change, result, f"{serial}.{position}")
    return result


def _follow(change: Change, result: Effects, new_uid: str) -> None:
    match change:
        case Create(after):
            if after.address in result.live:
                raise _misfit(after.address, "be created, but already exists")
            result.live[after.address] = new_uid
            result.created[new_uid] = after
            event = Event(new_uid, after.address, "create", _spec(new_uid, after, result))
        case Update(before, after):
            uid = _uid(before.address, result, "be updated")
            _replace(uid, before, after, result)
            event = Event(uid, after.address, "update", _spec(uid, after, result))
        case Rename(before, after):
            uid = _uid(before.address, result, "be renamed")
            if after.address in result.live:
                raise _misfit(before.address, f"become {after.address}, which already exists")
            del result.live[before.address]
            result.live[after.address] = uid
            _replace(uid, before, after, result)
            event = Event(
                uid, after.address, "rename", _spec(uid, after, result), before.address.name
            )
        case Delete(before) | Forget(before):
            uid = _uid(before.address, result, "be deleted")
            del result.live[before.address]
            result.changed.pop(uid, None)
            if result.created.pop(uid, None) is None:
                result.deleted.add(uid)
            action = "forget" if isinstance(change, Forget) else "delete"
            event = Event(uid, before.address, action, None)
        case RotateSecret(connector):
            uid = _uid(connector.address, result, "get another secret")
            _replace(uid, connector, connector, result)
            result.unsettled.add(uid)
            spec = _spec(uid, connector, result)
            event = Event(uid, connector.address, "rotate_secret", spec)
        case _:
            assert_never(change)
    result.events.append(event)


def _uid(address: Address, result: Effects, what: str) -> str:
    uid = result.live.get(address)
    if uid is None:
        raise _misfit(address, f"{what}, but is not there")
    return uid


def _spec(uid: str, resource: Resource, result: Effects) -> str:
    result.specs[uid] = specs.encode(resource)
    return result.specs[uid]


def _replace(uid: str, before: Resource, after: Resource, result: Effects) -> None:
    (result.created if uid in result.created else result.changed)[uid] = after
    if _tested(before) != _tested(after):
        result.unsettled.add(uid)


def _tested(resource: Resource) -> tuple[object, ...]:
    return resource.tested if isinstance(resource, Connector) else ()


def _misfit(address: Address, what: str) -> StateConflict:
    return StateConflict(
        f"the changes do not fit the stored state: {address} is to {what}",
        hint="plan again and apply the new plan",
    )


Fingerprints = tuple[tuple["SecretRef", "Fingerprint"], ...]
"""The fingerprints of one connector, sorted by reference."""


def fingerprints_after(
    connector: Connector, stored: Fingerprints, new: Fingerprints
) -> Fingerprints:
    """The fingerprints of a connector to keep: the newest of each reference that it still has."""
    known = {**dict(stored), **dict(new)}
    return tuple((reference, known[reference]) for reference in sorted(connector.references)
                 if reference in known)  # fmt: skip


def not_empty(serial: int) -> StateError:
    """Refuse to replace an existing state with a whole one."""
    return StateError(
        f"the state to import into is not empty: it is at serial {serial}",
        hint="Name an empty one with --state; nothing is ever merged or overwritten.",
    )


def nothing_to_export() -> StateError:
    """The error for a state that does not exist yet."""
    return StateError(
        "nothing was applied yet, so there is nothing to export",
        hint="Name the state with --state.",
    )


def moved(commit: Commit, lineage: str, serial: int) -> StateConflict:
    """The error that names both values of a lineage or serial that differs."""
    if lineage == commit.expected_lineage or not commit.expected_lineage:
        what = f"the state is at serial {serial}, the plan was made at {commit.expected_serial}"
    else:
        what = "the state is not the one that the plan was made for: its lineage differs"
    return StateConflict(what, hint="plan again and apply the new plan")
