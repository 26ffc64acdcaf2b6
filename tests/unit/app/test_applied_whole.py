"""What is read of a state: what a mail concerns, and with a grace the whole, in case the state becomes unavailable."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from reconciler.app.applied import FRESH, AppliedState
from reconciler.errors import StateError, StateUnavailable
from reconciler.routing.keys import RoutingNeeds
from reconciler.state.decoding import NO_RESOURCES
from tests.unit.app.test_applied import FarStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.model.address import Address
    from reconciler.model.resource import Resource
    from reconciler.model.snapshot import StoredState
    from reconciler.routing.excerpt import RoutingExcerpt
    from reconciler.state.base import Revision


class Counted(FarStore):
    """A state that counts how often it is read, may be away, and may have no keys."""

    def __init__(self) -> None:
        super().__init__()
        self.is_away = self.has_no_keys = False
        self.wholes = self.excerpts = 0

    def revisions(self, *, limit: int = 50, until: int | None = None) -> tuple[Revision, ...]:
        self._reach()
        return super().revisions(limit=limit, until=until)

    def load(
        self, like: Mapping[Address, Resource] = NO_RESOURCES, *, only_resources: bool = False
    ) -> StoredState:
        self._reach()
        self.wholes += 1
        return super().load(like, only_resources=only_resources)

    def routing(self, needs: RoutingNeeds) -> RoutingExcerpt | None:
        self._reach()
        self.excerpts += 1
        found = super().routing(needs)
        self.wholes -= 1  # which the store in memory reads for it
        return None if self.has_no_keys else found

    def _reach(self) -> None:
        if self.is_away:
            raise StateUnavailable("away")


@pytest.fixture
def store() -> Counted:
    made = Counted()
    made.apply("one")
    made.wholes = 0
    return made


def asking(name: str) -> RoutingNeeds:
    return RoutingNeeds(connectors=frozenset({name}))


def test_without_a_grace_nothing_is_read_but_what_is_asked_for_and_that_once(
    store: Counted,
) -> None:
    applied = AppliedState(store, clock=lambda: store.now)
    for _ in range(3):
        assert applied.index(lambda: asking("one")).connector("one") is not None
    assert (store.wholes, store.excerpts) == (0, 1)
    applied.index(lambda: asking("two"))
    assert (store.wholes, store.excerpts) == (0, 2)


def test_with_a_grace_the_whole_follows_and_serves_while_the_state_is_away(store: Counted) -> None:
    applied = AppliedState(store, grace=60.0, clock=lambda: store.now)
    assert applied.index(lambda: asking("one")).connector("one") is not None
    assert (store.wholes, store.excerpts) == (1, 0)
    store.apply("two")
    store.now += FRESH
    assert applied.index(lambda: asking("two")).connector("two") is not None  # at once
    until = time.monotonic() + 30
    while applied._whole is None:
        assert time.monotonic() < until
        time.sleep(0.001)
    store.is_away = True
    store.now += FRESH
    for name in ("one", "two"):
        assert applied.index(lambda name=name: asking(name)).connector(name) is not None  # type: ignore[misc]
    assert applied.problem is not None
    store.now += 60.0
    with pytest.raises(StateError, match="away"):
        applied.index(lambda: asking("one"))


def test_a_state_without_keys_of_this_release_is_read_whole_and_once(store: Counted) -> None:
    store.has_no_keys = True
    applied = AppliedState(store, clock=lambda: store.now)
    for name in ("one", "two", "one"):
        applied.index(lambda name=name: asking(name))  # type: ignore[misc]
    assert (store.wholes, store.excerpts) == (1, 1)


def test_what_was_read_at_an_older_revision_is_not_current(store: Counted) -> None:
    applied = AppliedState(store, clock=lambda: store.now)
    index = applied.index(lambda: asking("one"))
    assert applied.is_current(index)
    store.apply("two")
    store.now += FRESH
    assert not applied.is_current(index)
