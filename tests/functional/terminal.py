"""A command on a terminal, with somebody who reads what it shows and types."""

from __future__ import annotations

import os
import pty
import select
import sys
import time
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from tests import interpreter

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Mapping

    from tests.functional.conftest import Home

DEADLINE: Final = 30
QUESTION: Final = "Only 'yes' will be accepted"
NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
PLAINLY: Final = "from reconciler.cli.main import run; run()"


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
    home: Home,
    *arguments: str,
    columns: int = 80,
    environ: Mapping[str, str] = NOTHING,
    code: str = PLAINLY,
) -> Iterator[Terminal]:
    """Run a command on a pseudo-terminal of its own; ``code`` is what the interpreter runs."""
    ours, theirs = pty.openpty()
    with interpreter.Popen(
        [sys.executable, "-c", _START, str(columns), code, *arguments],
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
import fcntl, struct, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, int(sys.argv[1]), 0, 0))
code = sys.argv[2]
sys.argv[1:3] = []
exec(code, {"__name__": "__main__"})
"""
