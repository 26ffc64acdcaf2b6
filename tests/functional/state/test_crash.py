"""A process that is killed at any instant leaves the old revision or the new one, never between."""

from __future__ import annotations

import importlib.util
import os
import random
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.errors import StateLocked
from reconciler.model.resource import digest, to_plain
from reconciler.model.snapshot import Snapshot
from reconciler.state.sql.store import open_store

if TYPE_CHECKING:
    import subprocess
    from types import ModuleType

Start = Callable[..., "subprocess.Popen[str]"]
KILLS = 40


def worker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("worker", Path(__file__).parent / "worker.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def digest_of(snapshot: Snapshot) -> str:
    return digest([to_plain(resource) for resource in snapshot.resources])


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def kill(nursery: subprocess.Popen[str], *, after: int, share: float) -> int:
    """Let the nursery start a process, kill it, and return the last serial that it announced.

    It is killed once it has announced so many revisions, and a share of the time that they took: that
    hits it at any point of its work, however fast the machine is.
    """
    assert nursery.stdin is not None
    nursery.stdin.write("go\n")
    nursery.stdin.flush()
    process, said = 0, ""
    announced: list[int] = []
    start = time.monotonic()
    while said != "ended":
        said = line(nursery)
        what, _, number = said.partition(" ")
        assert what in ("started", "wrote", "ended"), said
        if what == "started":
            process = int(number)
        elif what == "wrote":
            announced.append(int(number))
        if process and len(announced) >= after:
            time.sleep(share * (time.monotonic() - start) / (after + 1))
            os.kill(process, signal.SIGKILL)
            process = 0
    return max(announced, default=0)


def test_forty_kills_leave_whole_revisions_only(start: Start, url: str, path: Path) -> None:
    moments = random.Random(20260301)
    desired: Callable[[int], Snapshot] = worker().desired
    nursery, store = start("nursery", url), open_store(url)
    before, written = 0, set()
    for turn in range(KILLS):
        # Each fourth is killed while it opens, or even creates, the state.
        after, share = (moments.randint(1, 2), 1.5) if turn % 4 else (0, 10)
        announced = max(before, kill(nursery, after=after, share=moments.uniform(0, share)))
        state = store.load()
        # Everything announced is there, and at most the revision that was just being written.
        assert state.serial in (announced, announced + 1)
        expected = desired(state.serial) if state.serial else Snapshot()
        assert digest_of(state.snapshot) == digest_of(expected)
        assert bool(state.lineage) == bool(state.serial)
        revisions = store.revisions(limit=10_000)
        assert [item.serial for item in revisions] == list(range(state.serial, 0, -1))
        for revision in revisions[:3]:
            counts = revision.counts
            entries = store.changes_of(revision.serial)
            assert len(entries) == counts.added + counts.changed + counts.destroyed
        if path.exists():
            with closing(sqlite3.connect(path)) as raw:
                assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
                assert raw.execute("PRAGMA foreign_key_check").fetchall() == []
        before = state.serial
        written.add(before)
    assert len(written) > KILLS // 4


def test_the_lease_of_a_killed_process_runs_out_and_names_it_until_then(
    start: Start, url: str
) -> None:
    process = start("hold", url)
    assert line(process) == "ready"
    process.kill()
    process.communicate(timeout=60)
    store = open_store(url)
    with pytest.raises(StateLocked, match=rf"holder \(hold\).*process {process.pid}"):
        store.lock(holder="next", operation="apply")
    lease = store.lease()
    assert lease is not None
    later = open_store(url, clock=lambda: lease.expires)
    with later.lock(holder="next", operation="apply") as lock:
        assert lock.lease.holder == "next"
