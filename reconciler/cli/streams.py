"""The standard streams: present, and able to write any character."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import TextIO


def prepare() -> None:
    """Fill in streams that are missing, and let no character be one that cannot be written.

    A process can be started without a stream (``>&-``), and the next file that it opens would get
    the stream's number. What a terminal or a log cannot show is written as an escape: a display name
    in a pull request must not be able to end an apply.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            null = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115 - stays open
            setattr(sys, name, null)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def mute(stream: TextIO) -> None:
    """Lose what could not be written: Python would try it once more at exit, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
