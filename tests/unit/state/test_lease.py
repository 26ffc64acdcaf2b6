"""Waiting for a lease, renewing it, and reporting it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from reconciler.app.state_lock import held_lock
from reconciler.errors import StateLocked, StateUnavailable
from reconciler.state.base import Lease
from reconciler.state.lease import LASTS, HeldLock, LockRefused, acquire, fresh, locked

if TYPE_CHECKING:
    from reconciler.state.base import StateStore

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
THEIRS = fresh("theirs", "alice", "apply", NOON)
OURS = fresh("ours", "bob", "apply", NOON)
LONG = timedelta(minutes=10)


@dataclass
class Time:
    """Time that passes only while somebody sleeps."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def test_waiting_gets_slower_and_ends_in_time() -> None:
    time = Time()

    def attempt(dead: Lease | None) -> Lease | LockRefused:
        return LockRefused(THEIRS, NOON)

    with pytest.raises(StateLocked, match="alice"):
        acquire(attempt, wait=timedelta(seconds=20), monotonic=time.monotonic, sleep=time.sleep)
    assert sum(time.slept) == pytest.approx(20)
    assert time.slept[0] <= 0.1
    assert max(time.slept) <= 2.0
    assert 10 <= len(time.slept) <= 40


def test_without_waiting_it_tries_once() -> None:
    asked: list[Lease | None] = []

    def attempt(dead: Lease | None) -> Lease | LockRefused:
        asked.append(dead)
        return LockRefused(THEIRS, NOON)

    time = Time()
    with pytest.raises(StateLocked):
        acquire(attempt, wait=timedelta(), monotonic=time.monotonic, sleep=time.sleep)
    assert asked == [None]
    assert time.slept == []


def test_a_busy_database_is_waited_for_too() -> None:
    time = Time()

    def attempt(dead: Lease | None) -> Lease | LockRefused:
        if time.now < 1003:
            raise StateLocked("busy")
        return OURS

    assert acquire(attempt, wait=LONG, monotonic=time.monotonic, sleep=time.sleep) == OURS


def test_each_holder_that_is_waited_for_is_reported_once() -> None:
    time, told = Time(), list[str]()
    first = Lease("t1", "alice", "apply", "host", NOON, NOON + LONG)
    second = Lease("t2", "bob", "apply", "host", NOON, NOON + LONG)

    def attempt(dead: Lease | None) -> Lease | LockRefused:
        if time.now > 1010:
            return OURS
        return LockRefused(first if time.now < 1005 else second, NOON)

    acquire(
        attempt,
        wait=LONG,
        waiting=lambda lease: told.append(lease.holder),
        monotonic=time.monotonic,
        sleep=time.sleep,
    )
    assert told == ["alice", "bob"]


def test_a_holder_that_is_not_waited_for_is_not_reported() -> None:
    def attempt(dead: Lease | None) -> Lease | LockRefused:
        return LockRefused(THEIRS, NOON)

    def waiting(lease: Lease) -> None:
        pytest.fail("nobody waits")

    with pytest.raises(StateLocked):
        acquire(attempt, wait=timedelta(), waiting=waiting)


def test_a_lease_that_nobody_renews_is_dead_whatever_the_store_s_clock_says() -> None:
    time = Time()
    lasting = Lease("t", "alice", "apply", "host", NOON, NOON + timedelta(hours=5))

    def attempt(dead: Lease | None) -> Lease | LockRefused:
        return OURS if dead == lasting else LockRefused(lasting, NOON)

    assert acquire(attempt, wait=LONG, monotonic=time.monotonic, sleep=time.sleep) == OURS
    assert LASTS.total_seconds() < time.now - 1000 < LASTS.total_seconds() + 5


def test_a_renewed_lease_never_counts_as_dead() -> None:
    time = Time()

    def attempt(dead: Lease | None) -> Lease | LockRefused:
        assert dead is None
        renewed = NOON + timedelta(seconds=(time.now - 1000) // 20 * 20)
        return LockRefused(Lease("t", "alice", "apply", "host", NOON, renewed), NOON)

    with pytest.raises(StateLocked):
        acquire(attempt, wait=LONG, monotonic=time.monotonic, sleep=time.sleep)


@pytest.mark.parametrize(
    ("seconds", "text"), [(3, "for 3 s"), (300, "for 5 min"), (9000, "for 2 h"), (-9, "for 0 s")]
)
def test_the_time_that_it_is_held_is_shown_for_people(seconds: int, text: str) -> None:
    assert text in locked(LockRefused(THEIRS, NOON + timedelta(seconds=seconds))).message


def test_the_lease_is_renewed_until_the_block_ends() -> None:
    renewed, enough = [], threading.Event()

    def renew() -> bool:
        renewed.append(threading.current_thread().name)
        if len(renewed) == 2:  # the store was out of reach for a moment
            raise StateUnavailable("gone")
        if len(renewed) == 4:
            enough.set()
        return True

    released: list[bool] = []
    lock = HeldLock(
        OURS,
        renew=renew,
        release=lambda: released.append(True),
        every=timedelta(milliseconds=1),
    )
    with lock:
        assert enough.wait(30)
    count = len(renewed)
    assert "state-lease" not in {thread.name for thread in threading.enumerate()}
    assert released == [True]
    assert len(renewed) == count


def test_renewing_stops_once_the_lease_is_lost() -> None:
    asked = threading.Event()

    def renew() -> bool:
        assert not asked.is_set()
        asked.set()
        return False

    with HeldLock(OURS, renew=renew, release=lambda: None, every=timedelta(milliseconds=1)) as lock:
        assert asked.wait(30)
        assert lock._thread is not None
        lock._thread.join(30)
        assert not lock._thread.is_alive()


def test_a_lock_that_cannot_be_released_does_not_hide_how_the_block_ended() -> None:
    def release() -> None:
        raise StateUnavailable("disk gone")

    with HeldLock(OURS, renew=lambda: True, release=release):
        pass
    with (
        pytest.raises(ZeroDivisionError),
        HeldLock(OURS, renew=lambda: True, release=release),
    ):
        raise ZeroDivisionError


def test_a_signal_while_the_block_begins_leaves_no_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    released: list[bool] = []
    lock = HeldLock(OURS, renew=lambda: True, release=lambda: released.append(True))

    def interrupted(_thread: threading.Thread) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    store = SimpleNamespace(lock=lambda **_named: lock)
    with (
        pytest.raises(KeyboardInterrupt),
        held_lock(
            cast("StateStore", store),
            holder="ada",
            operation="apply",
            wait=timedelta(),
            noted=print,
        ),
    ):
        pytest.fail("the block never begins")
    assert released == [True]


def test_a_lease_is_released_once() -> None:
    released: list[bool] = []
    lock = HeldLock(OURS, renew=lambda: True, release=lambda: released.append(True))
    with lock:
        assert released == []
    lock.give_back()
    assert released == [True]
