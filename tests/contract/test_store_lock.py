"""How every store locks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

import pytest

from reconciler.errors import StateConflict, StateError, StateLocked
from reconciler.model.directory import Group
from reconciler.plan.changes import Create
from reconciler.state.base import Commit, Revision, StateStore
from reconciler.state.lease import LASTS

Apply = Callable[..., Revision]


class Clock(Protocol):
    def __call__(self) -> object: ...
    def forward(self, seconds: float) -> None: ...


class Place(Protocol):
    def open(self, *, own_clock: bool = False) -> StateStore: ...


def first_commit(clock: Clock) -> Commit:
    now = clock()
    return Commit("", 0, (Create(Group(name="team")),), now, "alice", "os", "", "1", "d")  # type: ignore[arg-type]


def test_a_lock_is_held_inside_the_block_only(store: StateStore, place: Place) -> None:
    with store.lock(holder="alice", operation="apply") as lock:
        assert place.open().lease() == lock.lease
        assert lock.lease.expires - lock.lease.since == LASTS
    assert store.lease() is None


def test_a_lock_is_released_after_a_failure(store: StateStore) -> None:
    with pytest.raises(ZeroDivisionError), store.lock(holder="alice", operation="apply"):
        raise ZeroDivisionError
    assert store.lease() is None


def test_the_error_names_the_holder_and_the_way_out(
    store: StateStore, place: Place, clock: Clock
) -> None:
    with store.lock(holder="alice", operation="apply") as lock:
        clock.forward(12)
        with pytest.raises(StateLocked) as caught:
            place.open().lock(holder="bob", operation="plan")
        message = caught.value.message
        assert "by alice (apply) on " in message
        assert lock.lease.host in message
        assert "since 2026-03-01 12:00:00 UTC, for 12 s" in message
        assert "expires in 48 s" in message
        assert f"reconciler state unlock {lock.lease.token}" in caught.value.hint


def test_an_expired_lease_does_not_count_and_is_taken_over(
    store: StateStore, place: Place, clock: Clock
) -> None:
    dead = store.lock(holder="alice", operation="apply").lease
    clock.forward(LASTS.total_seconds())
    assert store.lease() is None
    with place.open().lock(holder="bob", operation="apply") as lock:
        assert lock.lease.token != dead.token


def test_a_holder_that_lost_its_lease_cannot_commit(
    store: StateStore, place: Place, clock: Clock
) -> None:
    lost = store.lock(holder="alice", operation="apply").lease
    clock.forward(LASTS.total_seconds() + 1)
    with place.open().lock(holder="bob", operation="apply") as lock:
        with pytest.raises(StateConflict, match=r"bob \(apply\)"):
            store.commit(first_commit(clock), token=lost.token)
        assert place.open().commit(first_commit(clock), token=lock.lease.token).serial == 1
    assert len(store.revisions()) == 1


def test_a_lease_that_ran_out_but_was_not_taken_over_still_commits(
    store: StateStore, clock: Clock
) -> None:
    with store.lock(holder="alice", operation="apply") as lock:
        clock.forward(3600)
        assert store.commit(first_commit(clock), token=lock.lease.token).serial == 1


def test_leaving_the_block_does_not_touch_the_lease_of_a_successor(
    store: StateStore, place: Place, clock: Clock
) -> None:
    with store.lock(holder="alice", operation="apply"):
        clock.forward(LASTS.total_seconds() + 1)
        successor = place.open().lock(holder="bob", operation="apply")
    assert store.lease() == successor.lease


def test_unlock_takes_the_lock_away(store: StateStore, place: Place, clock: Clock) -> None:
    with store.lock(holder="alice", operation="apply") as lock:
        assert place.open().unlock(lock.lease.token) == lock.lease
        assert store.lease() is None
        with pytest.raises(StateConflict, match="lock was lost"):
            store.commit(first_commit(clock), token=lock.lease.token)


def test_unlock_requires_the_right_token(store: StateStore) -> None:
    with pytest.raises(StateError, match="not locked under nonsense") as caught:
        store.unlock("nonsense")
    assert caught.value.hint == "it is not locked at all"
    with store.lock(holder="alice", operation="apply") as lock:
        for token in ("nonsense", ""):
            with pytest.raises(StateError) as caught:
                store.unlock(token)
            assert lock.lease.token in caught.value.hint
        assert store.lease() == lock.lease


def test_reading_and_recording_tests_need_no_lock(store: StateStore, apply: Apply) -> None:
    apply(store, Create(Group(name="team")))
    with store.lock(holder="alice", operation="apply"):
        assert store.load().serial == 1
        store.record_tests((), serial=1)


def test_waiting_ends_when_the_holder_is_done(store: StateStore, place: Place) -> None:
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with store.lock(holder="alice", operation="apply"):
            entered.set()
            leave.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert entered.wait(30)
        threading.Timer(0.2, leave.set).start()
        with place.open().lock(holder="bob", operation="apply", wait=timedelta(seconds=30)) as lock:
            assert leave.is_set()
            assert lock.lease.holder == "bob"
    finally:
        leave.set()
        holder.join(30)


def test_waiting_has_an_end(store: StateStore, place: Place) -> None:
    with (
        store.lock(holder="alice", operation="apply"),
        pytest.raises(StateLocked, match="alice"),
    ):
        place.open().lock(holder="bob", operation="plan", wait=timedelta(milliseconds=150))


def test_the_lease_uses_the_clock_of_the_store(place: Place) -> None:
    store = place.open(own_clock=True)
    with store.lock(holder="alice", operation="apply") as lock:
        assert store.lease() == lock.lease
    store.close()
