"""The lease row: each function is one step of the lock's life, in the caller's transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.errors import StateCorrupt
from reconciler.state.base import Lease
from reconciler.state.lease import LASTS, LockRefused, lost
from reconciler.state.sql.faults import WAY_OUT
from reconciler.values import members

if TYPE_CHECKING:
    from datetime import datetime

    from reconciler.state.sql.rows import Rows


def in_force(rows: Rows) -> Lease | None:
    """The lease in force now."""
    found = stored(rows)
    return found if found is not None and found.expires > rows.now() else None


def stored(rows: Rows, *, lock: bool = False) -> Lease | None:
    """The lease, even if it has expired."""
    row = rows.single("lock", lock=lock)
    if not row.token:
        return None
    if row.since is None or row.expires is None:
        raise StateCorrupt("the state holds a lock without its times", hint=WAY_OUT)
    return Lease(row.token, row.holder, row.operation, row.host, row.since, row.expires)


def require(rows: Rows, token: str) -> None:
    """Raise StateConflict unless the lock is held under that token.

    An expired lease that nobody took over is still exclusive, because taking it over changes the token.
    """
    held = stored(rows, lock=True)
    if held is None or held.token != token:
        raise lost(in_force(rows))


def take(rows: Rows, lease: Lease, now: datetime, dead: Lease | None) -> Lease | LockRefused:
    """Take the lock if it is free or ours, if the lease expired, or if it is the one known to be dead."""
    current = stored(rows, lock=True)
    if current is not None and current.token == lease.token:
        return current  # the connection was lost only after it was taken
    if current is not None and current.expires > now and current != dead:
        return LockRefused(current, now)
    rows.update("lock", members(lease))
    return lease


def renew(rows: Rows, token: str) -> bool:
    """Prolong the lease; False if it is gone."""
    return bool(rows.update("lock", {"expires": rows.now() + LASTS}, {"token": token}))


def release(rows: Rows, token: str) -> bool:
    """Release the lock; False if it was not held under that token."""
    return bool(token) and bool(rows.update("lock", {"token": ""}, {"token": token}))
