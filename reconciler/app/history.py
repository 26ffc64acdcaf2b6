"""Looking back: one revision, one resource, and what lies between two revisions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.errors import ReconcilerError
from reconciler.plan.changes import Delete, Forget
from reconciler.plan.diff import changes_between

if TYPE_CHECKING:
    from reconciler.model.address import Address
    from reconciler.plan.changes import Change
    from reconciler.state.base import HistoryEntry, Revision, StateReader


def revision(reader: StateReader, serial: int) -> Revision:
    """Find a revision; raises ReconcilerError if no revision has that serial."""
    found = reader.revisions(limit=1, until=serial)
    if found and found[0].serial == serial:
        return found[0]
    newest = found or reader.revisions(limit=1)
    there = f"The newest is {newest[0].serial}." if newest else "Nothing was applied yet."
    raise ReconcilerError(f"there is no revision {serial}", hint=there)


class Verified(Struct, frozen=True):
    """The result of verifying the history: the newest revision, its digest, and the mismatches."""

    newest: Revision | None
    broken: tuple[int, ...]


def verify(reader: StateReader) -> Verified:
    """Recompute the digest of every revision, and compare."""
    newest = reader.revisions(limit=1)
    return Verified(newest[0] if newest else None, reader.broken_links())


def changes_of(reader: StateReader, serial: int) -> tuple[Change, ...]:
    """What one revision changed, field by field."""
    before, after = reader.step(serial)
    told = {(entry.action, entry.address) for entry in reader.changes_of(serial)}
    rotated = frozenset(address for action, address in told if action == "rotate_secret")
    return tuple(
        Forget(change.before)
        if isinstance(change, Delete) and ("forget", change.address) in told
        else change
        for change in changes_between(before.resources, after.resources, rotated)
    )


def between(reader: StateReader, first: int, second: int | None) -> tuple[int, tuple[Change, ...]]:
    """The changes from one revision to another, or to the newest, and that one's serial.

    0 is the empty state before the first revision. Raises ReconcilerError if one does not exist.
    """
    if second is None:
        newest = reader.revisions(limit=1)
        second = newest[0].serial if newest else 0
    for serial in (first, second):
        if serial:
            revision(reader, serial)
    before = reader.past(first)
    after = reader.past(second, before.snapshot.by_address)
    return second, changes_between(before.resources, after.resources)


def entries_of(
    reader: StateReader, address: Address, limit: int
) -> tuple[tuple[HistoryEntry, ...], HistoryEntry | None]:
    """The history of a resource, newest first, and what precedes its oldest entry.

    Raises ReconcilerError if nothing ever bore that address.
    """
    found = reader.history(address, limit=limit + 1)
    if not found:
        raise ReconcilerError(
            f"there is no history of {address}", hint="`reconciler history` lists every revision."
        )
    return found[:limit], found[limit] if len(found) > limit else None
