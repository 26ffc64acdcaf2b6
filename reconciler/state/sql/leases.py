"""The lease row: each function is one step of the lock's life, in the caller's transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import update

from reconciler.state import lease as leases
from reconciler.state.sql import reading, tables

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from reconciler.state.base import Lease

_row = tables.lock.c


def take(
    connection: Connection, lease: Lease, now: datetime, dead: Lease | None
) -> Lease | leases.LockRefused:
    """Take the lock if it is free or ours, if the lease expired, or if it is the one known to be dead."""
    current = reading.any_lease(connection, lock=True)
    if current is not None and current.token == lease.token:
        return current  # the connection was lost only after it was taken
    if current is not None and current.expires > now and current != dead:
        return leases.LockRefused(current, now)
    connection.execute(
        update(tables.lock).values(
            token=lease.token,
            holder=lease.holder,
            operation=lease.operation,
            host=lease.host,
            since=lease.since,
            expires=lease.expires,
        )
    )
    return lease


def renew(connection: Connection, token: str, now: datetime) -> bool:
    """Prolong the lease; False if it is gone."""
    longer = update(tables.lock).where(_row.token == token).values(expires=now + leases.LASTS)
    return bool(connection.execute(longer).rowcount)


def release(connection: Connection, token: str) -> bool:
    """Release the lock; False if it was not held under that token."""
    free = update(tables.lock).where(_row.token == token).values(token="")
    return bool(token) and bool(connection.execute(free).rowcount)
