"""Being asked: on a terminal, by a person, who may say no."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.functional.conftest import Home

DEADLINE = 30
QUESTION = "Only 'yes' will be accepted"
NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class Terminal:
    """A command on a pseudo-terminal of its own, with the other end of it."""

    def __init__(self, process: subprocess.Popen[bytes], end: int) -> None:
        self.process = process
        self._end = end
        self.shown = ""

    def read_until(self, text: str) -> None:
        """Wait until the command has shown a text."""
        until = time.monotonic() + DEADLINE
        while text not in self.shown:
            assert time.monotonic() < until, self.shown
            self._read()

    def type(self, text: str) -> None:
        """Type on the keyboard."""
        os.write(self._end, text.encode())

    def wait(self) -> int:
        """Read until the command has ended, and return its status."""
        until = time.monotonic() + DEADLINE
        while self.process.poll() is None or self._read():
            assert time.monotonic() < until, self.shown
            self._read()
        return self.process.returncode

    def _read(self) -> bool:
        if not select.select([self._end], [], [], 0.05)[0]:
            return False
        try:
            data = os.read(self._end, 65536)
        except OSError:  # on Linux, the end of a terminal that nobody has open any more
            return False
        self.shown += data.decode().replace("\r\n", "\n")
        return bool(data)


@contextmanager
def terminal(
    home: Home, *arguments: str, columns: int = 80, environ: Mapping[str, str] = NOTHING
) -> Iterator[Terminal]:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", _START, str(columns), *arguments],
        cwd=home.folder,
        env=home.environ | {"TERM": "xterm-256color", **environ},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        try:
            yield Terminal(process, ours)
        finally:
            process.kill()
            os.close(ours)


_START = """
import fcntl, os, struct, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, int(sys.argv[1]), 0, 0))
os.execv(sys.executable, [sys.executable, "-m", "reconciler", *sys.argv[2:]])
"""


def test_yes_applies(live: Home) -> None:
    with terminal(live, "apply") as shell:
        shell.read_until(QUESTION)
        assert "Plan: 18 to add, 0 to change, 0 to destroy." in shell.shown
        assert "Testing" not in shell.shown, "nothing is tested before somebody has said yes"
        shell.type("yes\n")
        assert shell.wait() == 0, shell.shown
    assert "5/5" in shell.shown, "the bar got to its end"
    assert "Tested 5: 5 passed." in shell.shown
    assert "Apply complete!" in shell.shown
    assert live("status", "--only", "ready").out.count("ready") == 5


@pytest.mark.parametrize("answer", ["no", "y", "Yes", "", "yes please"])
def test_anything_else_does_not(answer: str, home: Home) -> None:
    with terminal(home, "apply") as shell:
        shell.read_until(QUESTION)
        shell.type(f"{answer}\n")
        assert shell.wait() == 5, shell.shown
    assert shell.shown.rstrip().endswith("Not applied.")
    assert "Nothing was applied yet" in home("status").out
    assert home("state", "lock").out == "The state is not locked.\n"


@pytest.mark.parametrize("key", ["\x03", "\x04"])
def test_ctrl_c_and_the_end_of_input_at_the_question_are_no_answer(key: str, home: Home) -> None:
    with terminal(home, "apply") as shell:
        shell.read_until(QUESTION)
        shell.type(key)
        assert shell.wait() == 130, shell.shown
    assert "Traceback" not in shell.shown
    assert "Interrupted." in shell.shown
    assert "Nothing was applied yet" in home("status").out
    assert home("state", "lock").out == "The state is not locked.\n"


def test_a_hang_up_at_the_question_leaves_no_lock(home: Home) -> None:
    with terminal(home, "apply") as shell:
        shell.read_until(QUESTION)
        shell.process.send_signal(signal.SIGTERM)
        assert shell.wait() == 130
    assert home("state", "lock").out == "The state is not locked.\n"


def test_a_person_who_reads_the_plan_may_change_the_policy(home: Home) -> None:
    home.apply_untested()
    home.edit("policy.yaml", "enabled: false", "enabled: true")
    with terminal(home, "apply", "--skip-tests", "no servers here") as shell:
        shell.read_until(QUESTION)
        shell.type("yes\n")
        assert shell.wait() == 0, shell.shown


def test_a_terminal_gets_colour_unless_it_is_dumb_or_asked_not_to(home: Home) -> None:
    with terminal(home, "plan") as shell:
        assert shell.wait() == 0
    assert "\033[32m+\033[0m" in shell.shown
    for name, text in (("NO_COLOR", "1"), ("TERM", "dumb")):
        with terminal(home, "plan", environ={name: text}) as shell:
            assert shell.wait() == 0
        assert "\033[" not in shell.shown
    with terminal(home, "plan", "--no-color") as shell:
        assert shell.wait() == 0
    assert "\033[" not in shell.shown


def test_a_narrow_terminal_is_not_overrun_by_tables(home: Home) -> None:
    home.apply_untested()
    for columns in (60, 80):
        with terminal(home, "status", "--no-color", columns=columns) as shell:
            assert shell.wait() == 0
        assert max(len(line) for line in shell.shown.splitlines()) <= columns, shell.shown


def test_unlocking_asks(home: Home) -> None:
    home.apply_untested()
    done = home("state", "unlock", "0123456789abcdef")
    assert done.status == 64
    assert "confirm with --yes" in done.err
    with terminal(home, "state", "unlock", "0123456789abcdef") as shell:
        shell.read_until("[y/N]")
        shell.type("n\n")
        assert shell.wait() == 130
