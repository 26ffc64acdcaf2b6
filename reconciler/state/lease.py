"""The lease that the lock is: how long it lasts, how it is waited for, renewed and reported."""

from __future__ import annotations

import os
import random
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol, Self

from reconciler.back_off import BackOff
from reconciler.errors import StateConflict, StateError, StateLocked
from reconciler.signals import deferred
from reconciler.state.base import Lease

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

LASTS = timedelta(seconds=60)
"""How long a lease is good for unless it is renewed; it is renewed three times as often."""

_WAITS = BackOff(first=0.1, longest=2.0)
"""The waits before the lock is asked for again."""


def fresh(token: str, holder: str, operation: str, now: datetime) -> Lease:
    """A lease of this process under ``token``, good from ``now`` on."""
    return Lease(
        token=token,
        holder=holder,
        operation=operation,
        host=f"{socket.gethostname()} (process {os.getpid()})",
        since=now,
        expires=now + LASTS,
    )


@dataclass(frozen=True, slots=True)
class LockRefused:
    """Somebody else's lease is in force; ``now`` is the time by which that was judged."""

    lease: Lease
    now: datetime


class LockAttempt(Protocol):
    """Tries once to take the lock, also if the lease in force is the one known to be ``dead``."""

    def __call__(self, dead: Lease | None) -> Lease | LockRefused:
        """Return the lease that was taken, or whose it is instead."""
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

    Expiry is judged by the store's clock. Should that clock have been set back, the lease of a holder
    who died would seem to last; so a lease that was watched for its whole duration, by a clock that
    cannot be set, and was never renewed, is taken for dead too.

    ``waiting`` is told whose lease is waited for, once for each. Raises StateLocked.
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
    """Name the holder, since when, and the way out."""
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
    """Tell a writer that its lease is gone; ``lease`` is the one that is in its place."""
    taken = f"; {lease.holder} ({lease.operation}) on {lease.host} holds it now" if lease else ""
    return StateConflict(
        f"the lock was lost before the revision could be written{taken}",
        hint="run the command again",
    )


def no_such_lease(token: str, lease: Lease | None) -> StateError:
    """Tell that nothing is locked under that token, and under which one it is."""
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
    """A lock that is held: a thread renews the lease inside the ``with`` block, the end gives it back.

    ``renew`` and ``release`` are the store's; ``renew`` returns whether the lease was still there.
    ``not_released`` is why it could not be given back at the end, if it could not.
    """

    def __init__(
        self,
        lease: Lease,
        *,
        renew: Callable[[], bool],
        release: Callable[[], None],
        every: timedelta | None = None,
    ) -> None:
        self._lease = lease
        self._renew = renew
        self._release = release
        self._every = (every or LASTS / 3).total_seconds()
        self._done = threading.Event()
        self._thread: threading.Thread | None = None
        self.not_released: StateError | None = None

    @property
    def lease(self) -> Lease:
        """What is held, as it was taken; ``expires`` moves on with every renewal since."""
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
        with deferred():
            self._done.set()
            if self._thread is not None:
                self._thread.join()
            # What cannot be given back runs out by itself, and must not hide how the block ended.
            try:
                self._release()
            except StateError as error:
                self.not_released = error

    def _keep(self) -> None:
        while not self._done.wait(self._every):
            # A store that cannot be reached now may be at the next turn; who holds the lease then is
            # checked again in the transaction that commits.
            with suppress(StateError):
                if not self._renew():
                    return
