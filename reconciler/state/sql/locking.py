"""Taking, renewing and releasing the lock of a database, over connections that may break."""

from __future__ import annotations

import time
import uuid
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from reconciler.back_off import BackOff
from reconciler.debts import owe
from reconciler.errors import StateCorrupt, StateError
from reconciler.signals import deferred
from reconciler.state import lease as leases
from reconciler.state.sql import leases as lease_rows
from reconciler.state.sql.faults import WAY_OUT, BrokenOff

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from datetime import timedelta

    from reconciler.state.base import Lease, StateLock
    from reconciler.state.sql.database import Database
    from reconciler.state.sql.rows import Rows

T = TypeVar("T")

_WAITS = BackOff(first=0.1, longest=1.0, tries=6)
"""The waits before reconnecting, a few seconds in all."""

_LONGEST = 5.0
"""Seconds after which no further connection is tried: one to a silent server alone takes ten."""


class DatabaseLock:
    """Manages the lock of one database. ``view`` opens a view of it, None if there is no state yet."""

    def __init__(
        self, database: Database, view: Callable[[], AbstractContextManager[Rows | None]]
    ) -> None:
        self._database = database
        self._view = view
        self._exists = False

    def take(
        self,
        *,
        holder: str,
        operation: str,
        wait: timedelta,
        waiting: Callable[[Lease], None] | None,
    ) -> StateLock:
        """Take the lock; raises StateLocked."""
        token = uuid.uuid4().hex
        release = partial(self._release, token)
        released = owe(release)
        attempt = partial(self._take, token, holder, operation)
        try:
            taken = leases.acquire(attempt, wait=wait, waiting=waiting)
            return leases.HeldLock(
                taken, renew=partial(self._renew, token), release=release, released=released
            )
        except BaseException as error:
            # A signal, or a lost connection, may have followed taking the lock.
            if isinstance(error, BrokenOff) or not isinstance(error, StateError):
                with deferred(), suppress(StateError):
                    release()
            released()
            raise

    def remove(self, token: str) -> Lease:
        """Remove the lock that is held under that token; raises StateError if there is none."""
        with self._database.transaction() as rows:
            found = lease_rows.stored(rows, lock=True)
            if found is None or not lease_rows.release(rows, token):
                raise leases.no_such_lease(token, lease_rows.in_force(rows))
            return found

    def _take(
        self, token: str, holder: str, operation: str, dead: Lease | None
    ) -> Lease | leases.LockRefused:
        with self._view() as view:
            if view is not None:
                now = view.now()
                current = lease_rows.stored(view)
                # Read first, because a reader never waits for a writer.
                if current is not None and current.expires > now and current != dead:
                    return leases.LockRefused(current, now)
                if said := view.damage():
                    raise StateCorrupt(f"the state is damaged: {said}", hint=WAY_OUT)

        self._exists = True

        def take(rows: Rows) -> Lease | leases.LockRefused:
            now = rows.now()
            return lease_rows.take(rows, leases.fresh(token, holder, operation, now), now, dead)

        return self._retried(take)

    def _renew(self, token: str) -> bool:
        with self._database.transaction() as rows:
            return lease_rows.renew(rows, token)

    def _release(self, token: str) -> None:
        if self._exists:  # a state that does not exist has no lock either
            self._retried(lambda rows: lease_rows.release(rows, token))

    def _retried(self, step: Callable[[Rows], T]) -> T:
        """Do an idempotent step, retrying for some seconds over new connections."""
        until = time.monotonic() + _LONGEST
        for delay in _WAITS:
            try:
                with self._database.transaction() as rows:
                    return step(rows)
            except BrokenOff:
                if time.monotonic() + delay > until:
                    raise
            time.sleep(delay)
        with self._database.transaction() as rows:
            return step(rows)
