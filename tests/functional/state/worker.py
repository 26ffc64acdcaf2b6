"""What the processes of these tests do. The first argument is the task, the second the state's URL."""

from __future__ import annotations

import os
import resource
import signal
import sys
from datetime import UTC, datetime, timedelta
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import alembic.command

from reconciler.errors import StateConflict, StateError, StateLocked
from reconciler.model.directory import Group
from reconciler.model.permissions import Principals
from reconciler.model.snapshot import Snapshot, StoredState
from reconciler.plan.changes import Create, Update, ordered
from reconciler.plan.diff import differences
from reconciler.plan.inputs import Desired
from reconciler.state.base import Commit, StateStore
from reconciler.state.sql import sqlite
from reconciler.state.sql.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.plan.changes import Change

WARM = (alembic.command, sqlite)
"""Loaded before a process is forked or turned into a stranger who may not read the interpreter."""

GROUPS = 12


def say(text: str) -> None:
    """Write a line at once and in one piece, even if others write to the same pipe."""
    os.write(sys.stdout.fileno(), f"{text}\n".encode())


def desired(serial: int) -> Snapshot:
    """What the state must hold at a serial: some groups stay, some change, some come and go."""
    return Snapshot.of(
        tuple(
            Group(
                name=f"g{number}", members=Principals(users=(f"user-{serial}",) * (1 + number % 3))
            )
            for number in range(GROUPS)
            if (serial + number) % 4
        )
    )


def revision(base: StoredState, name: str, *changes: Change) -> Commit:
    now = datetime.now(UTC)
    return Commit(base.lineage, base.serial, changes, now, name, "os", "", "1", "sha256:00")


def nursery(url: str) -> None:
    """Fork a process that loops for each line of input, and tell when it has ended."""
    for _ in sys.stdin:
        process = os.fork()
        if not process:
            loop(url)
        say(f"started {process}")
        os.waitpid(process, 0)
        say("ended")


def loop(url: str) -> None:
    """Write one revision after the other until killed; each is announced once it is written."""
    store = open_store(url)
    # The one that was killed before still seems to hold the lock; nobody else is there.
    held = store.lease()
    if held is not None:
        store.unlock(held.token)
    with store.lock(holder="worker", operation="loop") as lock:
        while True:
            base = store.load()
            changes = ordered(differences(Desired(desired(base.serial + 1)), base))
            written = store.commit(revision(base, "worker", *changes), token=lock.lease.token)
            say(f"wrote {written.serial}")


def count(url: str, name: str, times: str) -> None:
    """Add one to the number of users in a group that all workers share, so many times."""
    store, landed = open_store(url), 0
    while landed < int(times):
        try:
            with store.lock(holder=name, operation="count", wait=timedelta(seconds=60)) as lock:
                base = store.load()
                before = next(iter(base.snapshot.groups), None)
                users = before.members.users if before else ()
                after = Group(name="all", members=Principals(users=(*users, f"{name}-{landed}")))
                change = Update(before, after, ()) if before else Create(after)
                store.commit(revision(base, name, change), token=lock.lease.token)
                landed += 1
        except (StateConflict, StateLocked) as error:
            say(type(error).__name__)
    say("done")


def race(url: str, name: str) -> None:
    """Try once, without waiting, against a state that all workers read before they start."""
    store = open_store(url)
    base = store.load()
    say("ready")
    signal.sigwait([signal.SIGUSR1])
    try:
        with store.lock(holder=name, operation="race") as lock:
            change = Create(Group(name=name))
            store.commit(revision(base, name, change), token=lock.lease.token)
    except (StateConflict, StateLocked) as error:
        say(type(error).__name__)
    else:
        say("landed")


def hold(url: str) -> None:
    """Take the lock and keep it until killed."""
    with open_store(url).lock(holder="holder", operation="hold"):
        say("ready")
        signal.pause()


def stranger(url: str) -> None:
    """Read and then lock as a user who owns nothing here."""
    # What is imported late is loaded now: the stranger may not even read where it is installed.
    with TemporaryDirectory() as folder:
        own = open_store(f"sqlite:///{folder}/state.db")
        with own.lock(holder="root", operation="load") as lock:
            first = revision(own.load(), "root", Create(Group(name="team")))
            own.commit(first, token=lock.lease.token)
            own.load()
        own.close()
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    told(lambda: say(f"read {open_store(url).load().serial}"))
    told(lambda: open_store(url).lock(holder="nobody", operation="apply"))


def limited(url: str) -> None:
    """Write more than the limit on file sizes allows."""
    store = open_store(url)
    limit = 150_000
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    told(lambda: many(store))


def filled(url: str) -> None:
    """Write more than the disk holds."""
    told(lambda: many(open_store(url)))


def many(store: StateStore) -> None:
    with store.lock(holder="worker", operation="many") as lock:
        base = store.load()
        groups = (
            Group(name=f"n{number}", members=Principals(users=(f"user-{number}" * 5,)))
            for number in range(2000)
        )
        store.commit(revision(base, "worker", *map(Create, groups)), token=lock.lease.token)
        say("written")


def told(step: Callable[[], object]) -> None:
    try:
        step()
    except StateError as error:
        say(f"{type(error).__name__}: {error.message} ({error.hint})")


def migrate(url: str) -> None:
    """Open the state at the same moment as the others."""
    store = open_store(url)
    say("ready")
    sys.stdin.readline()

    def read() -> None:
        store.migrate()
        say(f"read {store.load().serial}")

    told(read)


TASKS: dict[str, Callable[..., None]] = {
    "nursery": nursery,
    "count": count,
    "race": race,
    "hold": hold,
    "stranger": stranger,
    "limited": limited,
    "filled": filled,
    "migrate": migrate,
}

if __name__ == "__main__":
    if sys.argv[1] == "race":
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    TASKS[sys.argv[1]](*sys.argv[2:])
