"""The standard streams: present, and able to write any character."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Self, TextIO

from reconciler.ci_systems import break_commands, open_line, running_in


def prepare() -> None:
    """Open missing streams, and make every character writable.

    A process can be started without a stream (``>&-``); the next file that it opens would get the
    stream's number. Characters that a terminal or a log cannot show are escaped: a display name in
    a pull request must not be able to end an apply.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            null = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115 - stays open
            setattr(sys, name, null)
    in_ci = running_in(os.environ)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not isinstance(stream, io.TextIOWrapper):
            continue
        stream.reconfigure(errors="backslashreplace")
        if in_ci:
            setattr(sys, name, _LogOfCi.instead_of(stream))


class _LogOfCi(io.TextIOWrapper):
    """A stream that a CI system reads: it breaks up commands in the text, even those written in pieces."""

    _line = ""

    @classmethod
    def instead_of(cls, stream: io.TextIOWrapper) -> Self:
        """Take the place of a stream, and write to the same descriptor."""
        encoding, buffered = stream.encoding, stream.line_buffering
        stream.flush()
        return cls(
            stream.detach(), encoding=encoding, errors="backslashreplace", line_buffering=buffered
        )

    def write(self, text: str) -> int:
        """Write the text, with a blank inside anything that would be a command."""
        super().write(break_commands(text, self._line))
        self._line = open_line(text, self._line)
        return len(text)

    def write_commands(self, text: str) -> None:
        """Write commands that are intended."""
        super().write(text)
        self._line = open_line(text, self._line)


def echo_commands(text: str) -> None:
    """Write commands for the CI system to standard output, each on a line of its own."""
    if isinstance(sys.stdout, _LogOfCi):
        sys.stdout.write_commands(f"{text}\n")
    else:
        sys.stdout.write(f"{text}\n")


def mute(stream: TextIO) -> None:
    """Discard unwritten output: Python would try to write it again at exit, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
