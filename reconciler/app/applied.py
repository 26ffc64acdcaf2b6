"""The applied state as senders need it: polled, so that an apply takes effect within a second."""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING, Final

from reconciler.errors import StateError, StateUnavailable
from reconciler.routing.index import RoutingIndex
from reconciler.routing.keys import RoutingNeeds

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.model.application import Application
    from reconciler.state.base import MailState

FRESH = 0.5
"""Seconds before the state is checked again for a newer revision."""

PATIENCE = 2.0
"""Seconds that a mail waits for a check that another mail has started."""

_MOST_KEPT: Final = 1000
"""Cached excerpts of a revision: mails of one application mostly ask the same questions."""

_NONE: Final = (-1, "")


class AppliedState:
    """The newest revision, as routing needs it.

    Threads share it; one of them checks for updates. A mail reads only what concerns it. With
    ``grace``, the whole of a revision is read too, in the background after the first time, and
    is used for that many seconds while the state cannot be read; ``problem`` then says why.
    Without, a state that cannot be read is an error.
    """

    def __init__(
        self,
        store: MailState,
        *,
        grace: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._grace = grace
        self._clock = clock
        self._turn = threading.Lock()
        self._revision = _NONE
        self._whole: RoutingIndex | None = None
        self._is_loading = False
        self._excerpts: dict[RoutingNeeds, RoutingIndex] = {}
        self._looked = 0.0
        self._seen = 0.0
        self.problem: StateError | None = None

    def index(self, needs: Callable[[], RoutingNeeds]) -> RoutingIndex:
        """Return the newest revision as of a moment ago, or what ``needs`` says of it.

        Raises StateError.

        ``needs`` is called only if the whole revision was not read.
        """
        self.look()
        whole = self._whole
        if whole is not None:
            return whole
        wanted = needs()
        kept = self._excerpts.get(wanted)
        return kept if kept is not None else self._read(wanted)

    def application(self, name: str) -> Application | None:
        """Find an application as it was applied a moment ago; raises StateError."""
        return self.index(lambda: RoutingNeeds(application=name)).application(name)

    def is_current(self, index: RoutingIndex) -> bool:
        """Whether it is still the newest revision; raises StateError."""
        self.look()
        return index.revision == self._revision

    def look(self) -> None:
        """Check for a newer revision unless that was just done; raises StateError.

        While one thread checks, the others wait. With ``grace``, they continue with the last
        revision if that takes long, and at once if the state is known to be unavailable.
        """
        known, asked = self._revision != _NONE, self._clock()
        if known and not self._is_old():
            return
        wait = -1.0
        if known and self._is_in_grace():
            wait = PATIENCE if self.problem is None else 0.0
        if not self._turn.acquire(timeout=wait):
            return
        try:
            if self._revision == _NONE or (self._is_old() and self._looked <= asked):
                self._look()
        finally:
            self._turn.release()

    @property
    def serial(self) -> int:
        """The serial of the newest known revision; -1 before the first."""
        return self._revision[0]

    @property
    def age(self) -> float:
        """Seconds since the state was last reached."""
        return self._clock() - self._seen

    def _is_old(self) -> bool:
        return self._clock() - self._looked >= FRESH

    def _is_in_grace(self) -> bool:
        return self.age < self._grace

    def _look(self) -> None:
        began = self._clock()  # an apply during the check may have gone unnoticed
        try:
            self._follow()
            self._seen, self.problem = self._clock(), None
        except StateError as error:
            self.problem = error
            if self._revision == _NONE or not self._is_in_grace():
                raise
        self._looked = began

    def _follow(self) -> None:
        is_first = self._revision == _NONE
        if is_first:
            self._store.migrate()  # an upgrade of reconciler must not stop mail
        newest = self._store.revisions(limit=1)
        if not newest:
            raise _empty()
        revision = (newest[0].serial, newest[0].plan_digest)
        if revision != self._revision:
            whole = self._load(revision) if is_first and self._grace else None
            self._whole, self._excerpts, self._revision = whole, {}, revision
        if self._grace and self._whole is None and not self._is_loading:
            self._is_loading = True
            threading.Thread(target=self._catch_up, name="reconciler state", daemon=True).start()

    def _load(self, revision: tuple[int, str]) -> RoutingIndex | None:
        """Read the whole of a revision; None if another was applied in the meantime."""
        loaded = self._store.load()
        if not loaded.serial:
            raise _empty()
        if loaded.serial != revision[0]:
            return None
        return RoutingIndex(loaded.snapshot, revision=revision)

    def _catch_up(self) -> None:
        """Read the whole newest revision in its own thread; mails still read what they need."""
        while True:
            revision = self._revision
            try:
                whole = self._load(revision)
            except StateError:  # the next check reports it, and starts again once the state is back
                whole = None
            with self._turn:
                if whole is not None and revision == self._revision:
                    self._whole = whole
                if whole is None or revision == self._revision:
                    self._is_loading = False
                    return

    def _read(self, wanted: RoutingNeeds) -> RoutingIndex:
        excerpt = self._store.routing(wanted)
        if excerpt is None:
            return self._without_keys()
        index = excerpt.index()
        with self._turn:
            if index.revision == self._revision:
                if len(self._excerpts) >= _MOST_KEPT:
                    self._excerpts = {}
                self._excerpts[wanted] = index
            else:
                self._looked = -math.inf  # something was applied within the last second
        return index

    def _without_keys(self) -> RoutingIndex:
        """Read and keep the whole revision of a state that another release wrote."""
        with self._turn:
            while self._whole is None:
                self._follow()
                self._whole = self._load(self._revision)
            return self._whole


def _empty() -> StateUnavailable:
    # More likely an unmounted volume than a first run.
    return StateUnavailable(
        "the state is empty, so nothing can be sent through it",
        hint="Check --state, or run the first `reconciler apply`.",
    )
