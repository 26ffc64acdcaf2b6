"""The collector of cyclic garbage waits while a command loads, runs in those that may last, and not at the end."""

from __future__ import annotations

import gc
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

from reconciler.cli.main import collect_rarely

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.functional.conftest import Home

ENDING: Final = """
import atexit, gc, sys
atexit.register(lambda: print("left alone:", len(gc.get_objects()) < gc.get_freeze_count()))
from reconciler.cli.entry import run
sys.argv = ["reconciler", "--version"]
run()
"""
"""The first step that is registered is the last one taken."""


@pytest.fixture(autouse=True)
def _collector() -> Iterator[None]:
    """Leaves the collector of the tests as it was."""
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.enable()


@pytest.mark.parametrize(
    ("words", "collects"),
    [
        ("plan", False),
        ("-C folder status", False),
        ("plan --test", True),
        ("import --out folder", False),
        ("rollback 1 --out folder", False),
        ("state import file", True),
        ("apply --skip-tests x", False),
        ("apply", True),
        ("gateway", True),
        ("sandbox -- sh", True),
        ("sendmail -t", True),
        ("", True),
    ],
)
def test_it_runs_in_a_command_that_waits_for_others(words: str, *, collects: bool) -> None:
    gc.disable()  # as at the entry
    collect_rarely(words.split())
    assert gc.isenabled() is collects


def test_the_collector_does_not_run_at_the_end_of_the_process(home: Home) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ENDING],
        cwd=home.folder,
        env=home.untraced,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "left alone: True" in done.stdout
