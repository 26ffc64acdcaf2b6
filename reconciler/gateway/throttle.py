"""Slows down clients that guess passwords, and locks them out for a while."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

FORGOTTEN: Final = 900.0
"""Seconds until a failure no longer counts."""
BY_ADDRESS: Final = 10
"""Failures after which an address is locked out."""
BY_ACCOUNT: Final = 50
"""Failures after which an application is locked out; more, so that a stranger cannot do it easily."""
_LONGEST_DELAY: Final = 8.0
_KEPT: Final = 10_000


class Throttle:
    """Counts failed sign-ins by address and by application. Used on one event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: dict[tuple[str, str], tuple[int, float]] = {}

    def is_locked(self, address: str, account: str) -> bool:
        """Whether attempts are currently locked out."""
        return (
            self._count(("address", address)) >= BY_ADDRESS
            or self._count(("account", account)) >= BY_ACCOUNT
        )

    def failed(self, address: str, account: str) -> float:
        """Count a failure, and return the seconds to wait before the answer."""
        for key in (("address", address), ("account", account)):
            count = self._count(key) + 1
            self._failures.pop(key, None)  # the newest comes last
            self._failures[key] = (count, self._clock())
        while len(self._failures) > _KEPT:
            del self._failures[next(iter(self._failures))]
        return min(0.25 * 2.0 ** (self._count(("address", address)) - 1), _LONGEST_DELAY)

    def succeeded(self, address: str) -> None:
        """Forget the failures of an address; those of the application may be from other clients."""
        self._failures.pop(("address", address), None)

    def _count(self, key: tuple[str, str]) -> int:
        count, at = self._failures.get(key, (0, 0.0))
        if self._clock() - at >= FORGOTTEN:
            self._failures.pop(key, None)
            return 0
        return count
