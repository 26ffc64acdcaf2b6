"""What every store does with several concurrent writers, each with its own connection."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Protocol

from reconciler.errors import StateConflict, StateLocked
from reconciler.model.directory import Group
from reconciler.model.permissions import Principals
from reconciler.model.snapshot import LastTest
from reconciler.plan.changes import Create, Update
from reconciler.state.base import Commit, StateStore

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
WRITERS, EACH = 4, 3


class Place(Protocol):
    def open(self, *, own_clock: bool = False) -> StateStore: ...


def add(store: StateStore, name: str, user: str) -> None:
    with store.lock(holder=name, operation="add", wait=timedelta(seconds=60)) as lock:
        base = store.load()
        before = next(iter(base.snapshot.groups), None)
        users = before.members.users if before else ()
        after = Group(name="all", members=Principals(users=(*users, user)))
        change = Update(before, after, ()) if before else Create(after)
        new = Commit(base.lineage, base.serial, (change,), NOON, name, "os", "", "1", "d")
        store.commit(new, token=lock.lease.token)


def test_no_update_is_lost(place: Place) -> None:
    barrier = threading.Barrier(WRITERS)
    failures: list[BaseException] = []

    def write(name: str) -> None:
        store = place.open(own_clock=True)
        barrier.wait(30)
        for turn in range(EACH):
            while True:
                try:
                    add(store, name, f"{name}-{turn}")
                except (StateConflict, StateLocked):
                    continue
                except BaseException as error:
                    failures.append(error)
                    raise
                break
            store.record_tests((("nobody", LastTest(passed=True, at=NOON)),), serial=turn)

    threads = [threading.Thread(target=write, args=(f"w{number}",)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
    assert failures == []
    store = place.open(own_clock=True)
    (group,) = store.load().snapshot.groups
    assert sorted(group.members.users) == [
        f"w{number}-{turn}" for number in range(WRITERS) for turn in range(EACH)
    ]
    assert [item.serial for item in store.revisions()] == list(range(WRITERS * EACH, 0, -1))
    assert store.lease() is None


def test_a_reader_sees_one_revision_however_often_it_is_written(place: Place) -> None:
    done = threading.Event()

    def write() -> None:
        store = place.open(own_clock=True)
        try:
            for turn in range(8):
                add(store, "writer", f"u{turn}")
        finally:
            done.set()

    writer = threading.Thread(target=write)
    writer.start()
    reader = place.open(own_clock=True)
    while not done.is_set():
        state = reader.load()
        assert sum(len(group.members.users) for group in state.snapshot.groups) == state.serial
    writer.join(60)
    assert reader.load().serial == 8
