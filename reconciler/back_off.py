"""How long to wait before something is tried again: one schedule for the whole package."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterator


class BackOff(Struct, frozen=True, kw_only=True):
    """A series of waits in seconds: ``first``, then each twice the one before, none above ``longest``.

    ``tries`` is the total number of tries, so there is one wait less; None sets no limit.
    """

    first: float
    longest: float
    tries: int | None = None

    def __iter__(self) -> Iterator[float]:
        """Yield the wait before the second try, before the third, and so on."""
        delay = self.first
        for _ in count() if self.tries is None else range(self.tries - 1):
            yield min(delay, self.longest)
            delay = min(delay * 2, self.longest)
