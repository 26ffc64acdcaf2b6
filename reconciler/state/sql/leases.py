"""The lease row: each function is one step of the lock's life, in a transaction of the caller's."""

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
    connection: Connection, wanted: Lease, now: datetime, dead: Lease | None
) -> Lease | leases.LockRefused:
    """Take the lock if nobody holds it, if the lease ran out, or if it is the one known as dead."""
    current = reading.any_lease(connection, lock=True)
    if current is not None and current.expires > now and current != dead:
        return leases.LockRefused(current, now)
    connection.execute(
        update(tables.lock).values(
            token=wanted.token,
            holder=wanted.holder,
            operation=wanted.operation,
            host=wanted.host,
            since=wanted.since,
            expires=wanted.expires,
        )
    )
    return wanted


def renew(connection: Connection, token: str, now: datetime) -> bool:
    """Prolong the lease; False if it is gone."""
    longer = update(tables.lock).where(_row.token == token).values(expires=now + leases.LASTS)
    return bool(connection.execute(longer).rowcount)


def release(connection: Connection, token: str) -> bool:
    """Give the lock back; False if it was not held under that token."""
    free = update(tables.lock).where(_row.token == token).values(token="")
    return bool(token) and bool(connection.execute(free).rowcount)
