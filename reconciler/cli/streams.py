"""The standard streams: present, and able to write any character."""

from __future__ import annotations

import io
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self, TextIO

from reconciler.ci_systems import break_commands, open_line, running_in

if TYPE_CHECKING:
    from collections.abc import Iterator


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
        kind = _LogOfCi if in_ci else _Output
        made = kind.instead_of(stream, NAMES[name])
        # shutil asks this one how wide the terminal is, and it has just been detached.
        if getattr(sys, f"__{name}__") is stream:
            setattr(sys, f"__{name}__", made)
        setattr(sys, name, made)


NAMES: Final = {"stdout": "standard output", "stderr": "standard error"}


class _Output(io.TextIOWrapper):
    """A standard stream whose errors say which one it is."""

    _title = ""

    @classmethod
    def instead_of(cls, stream: io.TextIOWrapper, title: str) -> Self:
        """Take the place of a stream, and write to the same descriptor."""
        encoding, buffered = stream.encoding, stream.line_buffering
        stream.flush()
        made = cls(
            stream.detach(), encoding=encoding, errors="backslashreplace", line_buffering=buffered
        )
        made._title = title
        return made

    def write(self, text: str) -> int:
        """Write the text; raises OSError with the name of the stream."""
        with self._naming():
            return super().write(text)

    def flush(self) -> None:
        """Write what is left; raises OSError with the name of the stream."""
        with self._naming():
            super().flush()

    @contextmanager
    def _naming(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            error.filename = self._title
            raise


class _LogOfCi(_Output):
    """A stream that a CI system reads: it breaks up commands in the text, even those written in pieces."""

    _line = ""

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


def stream_path(stream: TextIO) -> str | None:
    """The file that a stream leads to, where the system knows it."""
    try:
        found = os.readlink(f"/proc/self/fd/{stream.fileno()}")  # noqa: PTH115 - a pipe has no path
    except (OSError, ValueError):
        return None
    return found if os.path.isabs(found) else None  # noqa: PTH117 - likewise


def mute(stream: TextIO) -> None:
    """Discard unwritten output: Python would try to write it again at exit, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
