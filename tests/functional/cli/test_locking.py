"""Two concurrent applies: one waits, or says who holds the lock."""

from __future__ import annotations

import re
import signal
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from tests.functional.conftest import Home

LOCKED = 7
DEADLINE = 30


@contextmanager
def applying(home: Home) -> Iterator[subprocess.Popen[str]]:
    """An apply that holds the lock, since a server does not answer it."""
    with home.start("apply", "--auto-approve", RECONCILER_ACTOR="deputy@contoso.example") as other:
        until = time.monotonic() + DEADLINE
        while "is not locked" in home("state", "lock").out:
            assert other.poll() is None, other.communicate()
            assert time.monotonic() < until
            time.sleep(0.05)
        try:
            yield other
        finally:
            other.send_signal(signal.SIGINT)
            other.communicate(timeout=DEADLINE)


@pytest.fixture
def slow(live: Home, silent_port: int) -> Home:
    """A folder with one server that never answers."""
    live.redirect("outlook.office365.com", 993, silent_port)
    return live


def test_the_second_apply_reports_the_lock_holder(slow: Home) -> None:
    with applying(slow) as other:
        done = slow("apply", "--auto-approve")
        assert done.status == LOCKED
        assert "the state is locked by deputy@contoso.example (apply)" in done.err
        assert f"(process {other.pid})" in done.err
        assert "--lock-timeout" in done.err
        shown = slow("state", "lock").out
        assert "deputy@contoso.example" in shown
        for reading in (("plan",), ("status",), ("history",), ("test", "info")):
            assert slow(*reading).status == 0, "what only reads does not wait"


def test_the_second_apply_waits_on_request(slow: Home) -> None:
    with applying(slow) as first:
        before = time.monotonic()
        done = slow("apply", "--auto-approve", "--lock-timeout", "1s")
        assert done.status == LOCKED
        assert time.monotonic() - before >= 1
        with slow.start(
            *("apply", "--auto-approve", "--skip-tests", "outage", "--lock-timeout", "30s")
        ) as second:
            time.sleep(0.2)
            first.send_signal(signal.SIGINT)
            out, err = second.communicate(timeout=DEADLINE)
    assert second.returncode == 0, err
    assert "Apply complete!" in out


def test_a_removed_lock_costs_an_apply_but_no_update(slow: Home) -> None:
    slow.write("../reconciler.yaml", "testing: {timeout_seconds: 5}\n")
    with applying(slow) as other:
        told = slow("apply", "--auto-approve").err
        found = re.search(r"reconciler state unlock (\w+)", told)
        assert found, told
        assert slow("state", "unlock", "not-" + found[1], "--yes").status == 1
        done = slow("state", "unlock", found[1], "--yes")
        assert done.status == 0
        assert "It was held by deputy@contoso.example" in done.out
        slow.apply_untested()
        _, err = other.communicate(timeout=DEADLINE)
        assert other.returncode != 0, err
    assert slow("history").out.count("mail-lead@contoso.example") == 1
    assert "deputy@contoso.example" not in slow("history").out


def test_a_lock_that_is_not_held_cannot_be_removed(home: Home) -> None:
    home.apply_untested()
    done = home("state", "unlock", "0123456789abcdef", "--yes")
    assert done.status == 1
    assert "the state is not locked under 0123456789abcdef" in done.err


@pytest.mark.parametrize("text", ["soon", "-1", "1w", ""])
def test_an_invalid_duration_is_rejected(text: str, home: Home) -> None:
    done = home("apply", "--lock-timeout", text)
    assert done.status == 64
    assert "expected 30s, 5m, 1h or 2d" in done.err
