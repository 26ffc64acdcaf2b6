"""Deadlines: how long something may still take, including all waits."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from reconciler.mail.faults import Cancelled, TimedOut

if TYPE_CHECKING:
    from threading import Event, Lock


SLICE: Final = 0.2
"""Seconds after which a wait checks whether it was cancelled."""


class Deadline:
    """A point in time, ``seconds`` from now, and an event that cancels everything earlier."""

    __slots__ = ("_cancelled", "_until")

    def __init__(self, seconds: float, cancelled: Event | None = None) -> None:
        self._until = time.monotonic() + seconds
        self._cancelled = cancelled

    def remaining(self) -> float:
        """The remaining seconds, always positive; raises TimedOut or Cancelled."""
        if self._cancelled is not None and self._cancelled.is_set():
            raise Cancelled
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimedOut(silent=False)
        return left

    def slice(self) -> float:
        """Seconds to wait before checking again; raises TimedOut or Cancelled."""
        return min(SLICE, self.remaining())

    def acquire(self, lock: Lock) -> None:
        """Acquire a lock that another thread may hold; raises TimedOut or Cancelled."""
        while not lock.acquire(timeout=self.slice()):
            pass

    def part(self, share: float) -> Deadline:
        """An earlier deadline after ``share`` (0 to 1) of the remaining time."""
        return Deadline(self.remaining() * share, self._cancelled)

    def pause(self, seconds: float) -> None:
        """Sleep, but not past the deadline and not through a cancellation."""
        seconds = min(seconds, self.remaining())
        if self._cancelled is not None:
            self._cancelled.wait(seconds)
        else:
            time.sleep(seconds)
        self.remaining()
