"""Room for pending mails: they are in memory, so their number is limited."""

from __future__ import annotations

import asyncio
from collections import Counter


class Room:
    """Counts the mails of each application; none takes more than half. Used on one event loop."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._share = max(1, at_once // 2)
        self._under_way: Counter[str] = Counter()
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def taken(self) -> int:
        """The number of pending mails."""
        return self._under_way.total()

    def take(self, application: str) -> bool:
        """Make room for one more mail; False if there is none."""
        if self.taken >= self._at_once or self._under_way[application] >= self._share:
            return False
        self._under_way[application] += 1
        self._empty.clear()
        return True

    def free(self, application: str) -> None:
        """Note that a mail is done."""
        self._under_way[application] -= 1
        if not self.taken:
            self._empty.set()

    async def wait_until_empty(self) -> None:
        """Wait until no mail is pending, including those of clients that have left."""
        await self._empty.wait()
