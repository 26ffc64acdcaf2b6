"""What the terminal can do, and how things get onto it."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TextIO

import click

from reconciler.render.style import Style

_LOG_WIDTH = 120
"""Columns where there is no terminal: logs of CI systems wrap later than terminals do."""


def stdout_style(*, colour: bool | None = None) -> Style:
    """How to dress standard output."""
    return _style(sys.stdout, colour)


def stderr_style(*, colour: bool | None = None) -> Style:
    """How to dress standard error."""
    return _style(sys.stderr, colour)


def is_interactive() -> bool:
    """Whether somebody is there who could be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def need_terminal() -> None:
    """Raise a usage error where nobody is there who could be asked."""
    if not is_interactive():
        raise click.UsageError("There is no terminal to ask on; confirm with --yes.")


def _style(stream: TextIO, colour: bool | None) -> Style:  # noqa: FBT001 - private
    terminal = stream.isatty()
    if colour is None:
        colour = terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    width = shutil.get_terminal_size((_LOG_WIDTH, 24)).columns if terminal else _LOG_WIDTH
    return Style(colour, max(width, 40))
