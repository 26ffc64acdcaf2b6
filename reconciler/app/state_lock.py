"""Holding the lock of the state while something is written, and saying so where it could not be given back."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import timedelta

    from reconciler.state.base import Lease, StateLock, StateStore
    from reconciler.state.write_outcome import WriteOutcome


@contextmanager
def held_lock(
    store: StateStore,
    *,
    holder: str,
    operation: str,
    wait: timedelta,
    noted: Callable[[str], None],
    waiting: Callable[[Lease], None] | None = None,
    outcome: WriteOutcome | None = None,
) -> Iterator[StateLock]:
    """Hold the lock for as long as the block lasts; raises StateLocked.

    A lock that cannot be given back, as on a full disk, expires by itself. ``noted`` is told so, and which
    revision was written before.
    """
    lock = store.lock(holder=holder, operation=operation, wait=wait, waiting=waiting)
    try:
        with lock:
            yield lock
    finally:
        lock.give_back()  # if a signal came before the block had begun
        if lock.not_released is not None:
            written = ""
            if outcome is not None and outcome.known and outcome.serial is not None:
                written = f"revision {outcome.serial} was written, but "
            why = lock.not_released.message
            noted(f"{written}the lock was not given back: {why}; it expires within a minute")
