"""The lock of a process that dies, hangs, or has its lock removed."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from time import sleep
from typing import TYPE_CHECKING

import pytest

from tests import interpreter
from tests.functional.terminal import PLAINLY, QUESTION, Terminal, terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.functional.conftest import Home

SKIP = ("--skip-tests", "no servers here")
OTHER = ("--auto-approve", *SKIP, "--actor", "deputy@contoso.example")
# A lease of an hour is never renewed while a test lasts; one of a second is over at once.
SHORT, LONG = 1, 3600


def with_leases_of(seconds: int) -> str:
    """The command line, with leases that last so long."""
    return (
        "from datetime import timedelta; import reconciler.state.lease as lease; "
        f"lease.LASTS = timedelta(seconds={seconds}); {PLAINLY}"
    )


@contextmanager
def asking(home: Home, *, lease: int) -> Iterator[Terminal]:
    """An apply that holds the lock, and asks a person who has not answered yet."""
    home.edit("info.yaml", "General enquiries", "Help desk")
    with terminal(home, "apply", *SKIP, code=with_leases_of(lease)) as shell:
        shell.read_until(QUESTION)
        home.edit("info.yaml", "Help desk", "Customer care")
        yield shell


def stop(shell: Terminal, home: Home) -> None:
    """Suspend a holder, but not within a transaction, during which its lock could not be taken over."""
    path = home.environ["RECONCILER_STATE"].removeprefix("sqlite:///")
    for _ in range(100):
        shell.process.send_signal(signal.SIGSTOP)
        if "://" in path:
            return  # PostgreSQL ends a transaction that stalls
        try:
            with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as raw:
                raw.execute("BEGIN IMMEDIATE")
                raw.execute("ROLLBACK")
        except sqlite3.OperationalError:
            shell.process.send_signal(signal.SIGCONT)
            sleep(0.02)
        else:
            return
    pytest.fail("the holder never ended its transaction")


def serial(home: Home) -> int:
    found: int = json.loads(home("status", "--format", "json").out)["serial"]
    return found


@pytest.fixture
def applied(shared: Home) -> Home:
    shared.apply_untested()
    return shared


def test_a_holder_that_is_killed_blocks_until_its_lease_is_over(applied: Home) -> None:
    with asking(applied, lease=SHORT) as shell:
        shell.process.send_signal(signal.SIGKILL)
        shell.process.wait()
    done = applied("apply", *OTHER, "--lock-timeout", "60s")
    assert done.status == 0, done.said
    assert "Customer care" in applied("show", "info").out
    assert serial(applied) == 2


def test_until_then_the_holder_is_named(applied: Home) -> None:
    with asking(applied, lease=LONG) as shell:
        shell.process.send_signal(signal.SIGKILL)
        shell.process.wait()
        done = applied("apply", *OTHER)
        assert done.status == 7
        assert "the state is locked by mail-lead@contoso.example (apply)" in done.err
        assert f"(process {shell.process.pid})" in done.err
        assert re.search(r" UTC, for \d+ s; the lease expires in (59|60) min", done.err)
        found = re.search(r"reconciler state unlock (\w+)", done.err)
        assert found
        assert applied("state", "unlock", found[1], "--yes").status == 0
    assert applied("apply", *OTHER).status == 0


def test_a_holder_that_was_stopped_and_lost_its_lease_cannot_write(applied: Home) -> None:
    with asking(applied, lease=SHORT) as shell:
        stop(shell, applied)
        done = applied("apply", *OTHER, "--lock-timeout", "60s")
        assert done.status == 0, done.said
        shell.process.send_signal(signal.SIGCONT)
        shell.type("yes\n")
        assert shell.wait() == 1, shell.shown
    assert "the lock was lost before the revision could be written" in shell.shown
    assert "run the command again" in shell.shown
    assert shell.shown.rstrip().endswith("Nothing was written.")
    assert "Customer care" in applied("show", "info").out
    assert serial(applied) == 2
    assert "not locked" in applied("state", "lock").out


def test_a_stopped_holder_learns_who_has_the_lock_now(applied: Home) -> None:
    with asking(applied, lease=SHORT) as shell:
        stop(shell, applied)
        with asking_after(applied) as successor:
            shell.process.send_signal(signal.SIGCONT)
            shell.type("yes\n")
            assert shell.wait() == 1, shell.shown
            assert "deputy@contoso.example (apply)" in shell.shown
            assert "holds it now" in " ".join(shell.shown.split())
            successor.type("yes\n")
            assert successor.wait() == 0, successor.shown
    assert serial(applied) == 2


@contextmanager
def asking_after(home: Home) -> Iterator[Terminal]:
    command = ("apply", *SKIP, "--actor", "deputy@contoso.example", "--lock-timeout", "60s")
    with terminal(home, *command) as shell:
        shell.read_until(QUESTION)
        yield shell


def test_a_stopped_holder_that_kept_its_lease_continues(applied: Home) -> None:
    with asking(applied, lease=SHORT) as shell:
        shell.process.send_signal(signal.SIGSTOP)
        shell.process.send_signal(signal.SIGCONT)
        shell.type("yes\n")
        assert shell.wait() == 0, shell.shown
    assert "Help desk" in applied("show", "info").out


def test_a_lease_is_renewed_while_a_person_decides(applied: Home) -> None:
    with asking(applied, lease=SHORT) as shell:
        # More than twice as long as a lease lasts, and then some for a machine that is busy.
        done = applied("apply", *OTHER, "--lock-timeout", "3s")
        assert done.status == 7, done.said
        assert (
            done.err.count("Waiting for the lock, held by mail-lead@contoso.example (apply) on ")
            == 1
        )
        shell.type("yes\n")
        assert shell.wait() == 0, shell.shown
    assert serial(applied) == 2


@pytest.mark.parametrize(("answer", "status"), [("y\n", 0), ("n\n", 5), ("\n", 5)])
def test_removing_a_lock_asks_for_confirmation(answer: str, status: int, applied: Home) -> None:
    with asking(applied, lease=LONG) as holder:
        found = re.search(r"id +(\w+)", applied("state", "lock").out)
        assert found
        done = applied("state", "unlock", found[1])
        assert done.status == 64
        assert "confirm with --yes" in done.err
        with terminal(applied, "state", "unlock", found[1]) as shell:
            shell.read_until("Remove the lock?")
            assert "locked by mail-lead@contoso.example" in shell.shown
            assert f"(process {holder.process.pid})" in shell.shown
            shell.type(answer)
            assert shell.wait() == status, shell.shown
        holder.type("yes\n")
        assert holder.wait() == (0 if status else 1), holder.shown
    assert serial(applied) == (2 if status else 1)


def with_a_clock_that_is_ahead(*, hours: int, lease: int = 60) -> str:
    """The command line on a machine whose clock jumped."""
    return f"""
import datetime
import reconciler.app.apply, reconciler.state.sql.sqlite
class Jumped(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return super().now(tz) + datetime.timedelta(hours={hours})
for module in (reconciler.app.apply, reconciler.state.sql.sqlite):
    module.datetime = Jumped
{with_leases_of(lease)}
"""


def run(home: Home, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return interpreter.run(
        [sys.executable, "-c", code, *arguments],
        cwd=home.folder,
        env=home.environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=90,
    )


def test_a_clock_that_jumps_forward_takes_over_in_a_file_only_and_no_update_is_lost(
    applied: Home, state_url: str
) -> None:
    with asking(applied, lease=60) as shell:
        done = run(applied, with_a_clock_that_is_ahead(hours=1), "apply", *OTHER)
        shell.type("yes\n")
        if state_url.startswith("postgresql"):
            assert done.returncode == 7, done.stderr
            assert "the state is locked by mail-lead@contoso.example" in done.stderr
            assert shell.wait() == 0, shell.shown
        else:
            assert done.returncode == 0, done.stderr
            assert shell.wait() == 1, shell.shown
            assert "the lock was lost before the revision could be written" in shell.shown
    assert serial(applied) == 2
    assert "not locked" in applied("state", "lock").out


def test_a_clock_that_jumps_back_blocks_nobody_who_waits_for_as_long_as_a_lease_lasts(
    applied: Home,
) -> None:
    dead = with_a_clock_that_is_ahead(hours=1, lease=2)
    applied.edit("info.yaml", "General enquiries", "Help desk")
    with terminal(applied, "apply", *SKIP, code=dead) as shell:
        shell.read_until(QUESTION)
        shell.process.send_signal(signal.SIGKILL)
        shell.process.wait()
    done = run(applied, with_leases_of(2), "apply", *OTHER, "--lock-timeout", "60s")
    assert done.returncode == 0, done.stderr
    assert serial(applied) == 2
