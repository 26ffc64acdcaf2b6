"""Processes that apply at the same time: no update is lost, and no serial is left out."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from reconciler.state.sql.store import open_store

if TYPE_CHECKING:
    import subprocess

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.mark.parametrize(("workers", "each"), [(2, 10), (6, 4)])
def test_no_update_is_lost(start: Start, url: str, workers: int, each: int) -> None:
    processes = [start("count", url, f"w{number}", str(each)) for number in range(workers)]
    for process in processes:
        output, errors = process.communicate(timeout=100)
        assert errors == ""
        assert output.split()[-1] == "done"
    store = open_store(url)
    state = store.load()
    assert state.serial == workers * each
    (group,) = state.snapshot.groups
    assert sorted(group.members.users) == sorted(
        f"w{number}-{turn}" for number in range(workers) for turn in range(each)
    )
    serials = [item.serial for item in store.revisions(limit=1000)]
    assert serials == list(range(workers * each, 0, -1))
    assert store.lease() is None


@pytest.mark.parametrize("workers", [2, 6])
def test_of_those_who_planned_on_the_same_state_one_lands(
    start: Start, url: str, workers: int
) -> None:
    processes = [start("race", url, f"w{number}") for number in range(workers)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.send_signal(signal.SIGUSR1)
    outcomes = []
    for process in processes:
        output, errors = process.communicate(timeout=60)
        assert errors == ""
        outcomes.append(output.strip())
    assert outcomes.count("landed") == 1
    assert set(outcomes) <= {"landed", "StateLocked", "StateConflict"}
    state = open_store(url).load()
    assert state.serial == 1
    assert [group.name for group in state.snapshot.groups] == [f"w{outcomes.index('landed')}"]
