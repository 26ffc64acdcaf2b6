"""Ctrl-C and SIGTERM during tests: the command ends soon, applies nothing and leaves nothing behind."""

from __future__ import annotations

import json
import re
import signal
import time
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import urlopen

import pytest

if TYPE_CHECKING:
    import subprocess

    from tests.functional.conftest import Home

INTERRUPTED = 130
DEADLINE = 30
SOON = 15
"""Seconds, of the thirty that the test would take; one or so suffices where the machine is not busy."""


@pytest.fixture
def slow(live: Home, silent_port: int) -> Home:
    """A folder with one server that never answers."""
    live.redirect("outlook.office365.com", 993, silent_port)
    return live


def wait_for(process: subprocess.Popen[str], text: str) -> str:
    """Read what a process says on standard error until it has said a text."""
    assert process.stderr is not None
    said = ""
    until = time.monotonic() + DEADLINE
    while text not in said:
        line = process.stderr.readline()
        assert line, said
        assert time.monotonic() < until, said
        said += line
    return said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_apply_is_interrupted_in_the_middle_of_its_tests(
    number: signal.Signals, slow: Home
) -> None:
    with slow.start("apply", "--auto-approve", "--report", "json=report.json") as process:
        said = wait_for(process, "payroll")
        started = time.monotonic()
        process.send_signal(number)
        out, err = process.communicate(timeout=DEADLINE)
        elapsed = time.monotonic() - started
    assert process.returncode == INTERRUPTED, err
    assert elapsed < SOON
    assert "Traceback" not in said + err + out
    ending = r"Interrupted: \d connectors? not tested\.\nNothing was written\.$"
    assert re.search(ending, err.rstrip())
    assert "Nothing was applied yet" in slow("status").out
    assert slow("state", "lock").out == "The state is not locked.\n"
    report = json.loads((slow.folder / "report.json").read_text())
    assert (report["outcome"], report["error"]) == ("failed", "interrupted")


def test_a_test_is_interrupted_and_says_what_it_had_found(slow: Home) -> None:
    with slow.start("test", "--report", "json=report.json") as process:
        wait_for(process, "Testing 5 connectors live")
        assert process.stdout is not None
        assert " ok " in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=DEADLINE)
    assert process.returncode == INTERRUPTED
    assert "Traceback" not in err
    assert re.search(r"Interrupted: \d connectors? not tested\.$", err.rstrip())
    report = json.loads((slow.folder / "report.json").read_text())
    assert 1 <= report["passed"] < 5


def test_waiting_for_the_lock_is_interrupted(slow: Home) -> None:
    with slow.start("apply", "--auto-approve") as first:
        wait_for(first, "Testing")
        with slow.start("apply", "--auto-approve", "--lock-timeout", "1h") as second:
            wait_for(second, "Waiting for the lock")
            second.send_signal(signal.SIGINT)
            _, err = second.communicate(timeout=DEADLINE)
        assert second.returncode == INTERRUPTED, err
        assert "locked by" in slow("state", "lock").out, "the lock of the other is still there"
        first.send_signal(signal.SIGTERM)
        first.communicate(timeout=DEADLINE)
    assert slow("state", "lock").out == "The state is not locked.\n"


def test_a_kill_leaves_a_lock_that_can_be_removed(slow: Home) -> None:
    with slow.start("apply", "--auto-approve") as process:
        wait_for(process, "Testing")
        process.kill()
        process.communicate(timeout=DEADLINE)
    assert process.returncode == -signal.SIGKILL
    assert "Nothing was applied yet" in slow("status").out
    done = slow("apply", "--auto-approve")
    assert done.status == 7
    token = done.err.splitlines()[-2].rpartition(" ")[2]
    assert slow("state", "unlock", token, "--yes").status == 0
    slow.apply_untested()


def test_the_sandbox_shows_its_mail_in_a_browser_until_it_ends(home: Home) -> None:
    with home.start("sandbox", "--web") as process:
        said = wait_for(process, "Ctrl-C ends the sandbox.")
        (address,) = re.findall(r"Mail in a browser: (http://127\.0\.0\.1:[0-9]+/\S+/)", said)
        with urlopen(address, timeout=20) as answer:
            assert "<h1>Mail in the sandbox</h1>" in answer.read().decode()
        process.send_signal(signal.SIGINT)
        process.wait(20)
    with pytest.raises(URLError):
        urlopen(address, timeout=20)


def test_the_sandbox_ends_its_command_and_itself(home: Home) -> None:
    with home.start("sandbox") as process:
        said = wait_for(process, "Ctrl-C ends the sandbox.")
        assert process.stdout is not None
        assert process.stdout.readline().startswith("export ")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0, said + err
    assert "Traceback" not in err
