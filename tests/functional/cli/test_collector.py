"""The collector of cyclic garbage waits while a command loads, and runs in those that may last."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from reconciler.cli.main import collect_rarely

if TYPE_CHECKING:
    from collections.abc import Iterator


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
