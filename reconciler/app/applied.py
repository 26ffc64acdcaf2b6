"""What is applied, as those who send need it: followed, so that an apply counts within a second."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from reconciler.errors import StateError, StateUnavailable
from reconciler.routing.index import RoutingIndex

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.state.base import StateStore

FRESH = 1.0
"""Seconds for which an answer counts, until it is looked up whether something was applied in the meantime."""


class AppliedState:
    """The newest revision, indexed for routing. Threads share it, and one of them looks.

    A state that cannot be read is an error, unless ``grace``
    lets the last revision serve for so many seconds more; ``problem`` then says why.
    """

    def __init__(
        self,
        store: StateStore,
        *,
        grace: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._grace = grace
        self._clock = clock
        self._turn = threading.Lock()
        self._index: RoutingIndex | None = None
        self._revision = (-1, "")
        self._looked = 0.0
        self._seen = 0.0
        self.problem: StateError | None = None

    def current(self) -> RoutingIndex:
        """Return the newest revision as of a moment ago; raises StateError.

        While one thread looks, the others wait for it, or go on with the last revision where ``grace`` lets them.
        """
        index = self._index
        if index is not None and not self._is_old():
            return index
        if index is not None and self._is_in_grace():
            if not self._turn.acquire(blocking=False):
                return index
        else:
            self._turn.acquire()
        try:
            if self._index is None or self._is_old():
                self._look()
            return self._known()
        finally:
            self._turn.release()

    @property
    def serial(self) -> int:
        """The serial of the newest revision that was read; -1 before the first."""
        return self._revision[0]

    @property
    def age(self) -> float:
        """Seconds since the state was last reached."""
        return self._clock() - self._seen

    def _is_old(self) -> bool:
        return self._clock() - self._looked >= FRESH

    def _is_in_grace(self) -> bool:
        return self.age < self._grace

    def _known(self) -> RoutingIndex:
        if self._index is None:
            raise StateUnavailable("the state was not read yet")
        return self._index

    def _look(self) -> None:
        try:
            self._read()
            self._seen, self.problem = self._clock(), None
        except StateError as error:
            self.problem = error
            if self._index is None or not self._is_in_grace():
                raise
        self._looked = self._clock()

    def _read(self) -> None:
        if self._index is None:
            self._store.migrate()  # an upgrade of the tool does not stop the mail
        newest = self._store.revisions(limit=1)
        if not newest:  # a volume that is not mounted, more often than a first day
            raise StateUnavailable(
                "the state is empty, so nothing can be sent through it",
                hint="Check --state, or run the first `reconciler apply`.",
            )
        revision = (newest[0].serial, newest[0].plan_digest)
        if self._index is None or revision != self._revision:
            self._index = RoutingIndex(self._store.load().snapshot)
            self._revision = revision
