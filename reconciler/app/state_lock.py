"""Holds the state's lock while something is written, and reports if it cannot be released."""

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
    """Hold the lock for the duration of a block; raises StateLocked.

    A lock that cannot be released, as on a full disk, expires by itself. ``noted`` is called
    with a note on that, and on the revision that was written.
    """
    lock = store.lock(holder=holder, operation=operation, wait=wait, waiting=waiting)
    try:
        with lock:
            yield lock
    finally:
        lock.give_back()  # if a signal arrived before the block began
        if lock.not_released is not None:
            written = ""
            if outcome is not None and outcome.known and outcome.serial is not None:
                written = f"revision {outcome.serial} was written, but "
            why = lock.not_released.message
            noted(f"{written}the lock was not released: {why}; it expires within a minute")
