"""The lock is a lease: its duration, waiting for it, renewing it and reporting its holder."""

from __future__ import annotations

import os
import random
import socket
import threading
import time
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol, Self

from msgspec import Struct

from reconciler.back_off import BackOff
from reconciler.errors import StateConflict, StateError, StateLocked
from reconciler.signals import deferred
from reconciler.state.base import Lease

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

LASTS = timedelta(seconds=60)
"""How long a lease lasts unless it is renewed; renewals come at a third of this."""

_WAITS = BackOff(first=0.1, longest=2.0)
"""The waits between attempts to take the lock."""


def fresh(token: str, holder: str, operation: str, now: datetime) -> Lease:
    """A lease of this process under ``token`` that starts at ``now``."""
    return Lease(
        token=token,
        holder=holder,
        operation=operation,
        host=f"{socket.gethostname()} (process {os.getpid()})",
        since=now,
        expires=now + LASTS,
    )


class LockRefused(Struct, frozen=True):
    """Another process's lease is in force at the time ``now``."""

    lease: Lease
    now: datetime


class LockAttempt(Protocol):
    """Tries once to take the lock, even from a lease that is known to be ``dead``."""

    def __call__(self, dead: Lease | None) -> Lease | LockRefused:
        """Return the lease taken, or the holder's."""
        ...


def acquire(
    attempt: LockAttempt,
    *,
    wait: timedelta,
    waiting: Callable[[Lease], None] | None = None,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Lease:
    """Take the lock, asking again at growing intervals until ``wait`` is over.

    Expiry is judged by the store's clock. If that clock was set back, the lease of a dead holder would
    seem to last. So a lease also counts as dead once it was watched for its whole duration on a
    monotonic clock without a renewal. Each holder is passed to ``waiting`` once. Raises StateLocked.
    """
    deadline = monotonic() + wait.total_seconds()
    watched: Lease | None = None
    watched_since = monotonic()
    told = ""
    for delay in _WAITS:
        dead = watched if monotonic() - watched_since > LASTS.total_seconds() else None
        holder: Lease | None = None
        try:
            outcome = attempt(dead)
        except StateLocked as error:  # the database itself was busy
            refusal = error
        else:
            if not isinstance(outcome, LockRefused):
                return outcome
            refusal, holder = locked(outcome), outcome.lease
            if outcome.lease != watched:
                watched, watched_since = outcome.lease, monotonic()
        remaining = deadline - monotonic()
        if remaining <= 0:
            raise refusal
        if waiting is not None and holder is not None and holder.token != told:
            waiting(holder)
            told = holder.token
        jitter = random.uniform(0.5, 1)  # noqa: S311 - keeps two waiters apart, hides nothing
        sleep(min(remaining, delay * jitter))
    raise AssertionError("the waits never end")


def locked(refused: LockRefused) -> StateLocked:
    """The error that names the holder, since when, and the way out."""
    lease = refused.lease
    held = _spell(refused.now - lease.since)
    return StateLocked(
        f"the state is locked by {lease.holder} ({lease.operation}) on {lease.host} since "
        f"{lease.since:%Y-%m-%d %H:%M:%S} UTC, for {held}; the lease expires in "
        f"{_spell(lease.expires - refused.now)} unless it is renewed",
        hint="wait for it with --lock-timeout; if that process is dead, run: "
        f"reconciler state unlock {lease.token}",
    )


def lost(lease: Lease | None) -> StateConflict:
    """The error for a writer whose lease is gone; ``lease`` is the one in force now."""
    taken = f"; {lease.holder} ({lease.operation}) on {lease.host} holds it now" if lease else ""
    return StateConflict(
        f"the lock was lost before the revision could be written{taken}",
        hint="run the command again",
    )


def no_such_lease(token: str, lease: Lease | None) -> StateError:
    """The error for an unknown token; it names the token in force."""
    return StateError(
        f"the state is not locked under {token}",
        hint=f"it is locked under {lease.token}, by {lease.holder}" if lease else
        "it is not locked at all",
    )  # fmt: skip


def _spell(duration: timedelta) -> str:
    seconds = max(0, round(duration.total_seconds()))
    if seconds < 120:  # noqa: PLR2004 - up to two minutes seconds read better
        return f"{seconds} s"
    minutes = seconds // 60
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"  # noqa: PLR2004 - likewise


class HeldLock:
    """A held lock: a thread renews the lease inside the ``with`` block, and its end releases it.

    The store provides ``renew``, which returns whether the lease still existed, and ``release``.
    ``not_released`` is why the lease could not be released at the end; None if it was. ``released`` is called once that
    is known.
    """

    def __init__(
        self,
        lease: Lease,
        *,
        renew: Callable[[], bool],
        release: Callable[[], None],
        released: Callable[[], None] = lambda: None,
        every: timedelta | None = None,
    ) -> None:
        self._lease = lease
        self._renew = renew
        self._release = release
        self._released = released
        self._every = (every or LASTS / 3).total_seconds()
        self._done = threading.Event()
        self._thread: threading.Thread | None = None
        self.not_released: StateError | None = None

    @property
    def lease(self) -> Lease:
        """The lease as it was taken; each renewal has moved ``expires`` on."""
        return self._lease

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._keep, name="state-lease", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.give_back()

    def give_back(self) -> None:
        """Release the lease, unless that was done; a signal may arrive before the block begins."""
        if self._done.is_set():
            return
        with deferred():
            self._done.set()
            if self._thread is not None and self._thread.ident is not None:
                self._thread.join()
            # A lease that cannot be released expires, and must not hide how the block ended.
            try:
                self._release()
            except StateError as error:
                self.not_released = error
            self._released()

    def _keep(self) -> None:
        while not self._done.wait(self._every):
            # The store may be reachable at the next renewal. The commit checks the lease again in
            # its transaction.
            with suppress(StateError):
                if not self._renew():
                    return
