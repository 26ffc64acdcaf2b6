"""Commands that are hit by a signal at a moment that a test names."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from tests import interpreter
from tests.functional.conftest import DEADLINE, Done

if TYPE_CHECKING:
    from tests.functional.conftest import Home

SIGNALLED: Final = """
import importlib, os, sys, signal

when, _, place = sys.argv.pop(1).partition(" ")
numbers = [int(number) for number in sys.argv.pop(1).split(",") if number]
parts = place.split(".")
for length in range(len(parts), 0, -1):
    try:
        holder = importlib.import_module(".".join(parts[:length]))
    except ModuleNotFoundError:
        continue
    break
*classes, name = parts[length:]
for item in classes:
    holder = getattr(holder, item)
usual = getattr(holder, name)

def send():
    while numbers:
        os.kill(os.getpid(), numbers.pop())

def signalled(*arguments, **named):
    if when == "before":
        send()
    found = usual(*arguments, **named)
    if when == "after":
        send()
    return found

setattr(holder, name, signalled)
from reconciler.cli.main import run
run()
"""
"""Runs the command line, and sends the process signals when it comes to a function."""


def run_signalled(
    home: Home,
    moment: str,
    numbers: tuple[int, ...],
    *arguments: str,
    before: str = "",
    stdin: str = "",
) -> Done:
    """Run a command that is sent these signals, the last first, when it comes to ``moment``.

    That is ``before`` or ``after``, and the dotted name of a function.
    """
    listed = ",".join(str(int(item)) for item in numbers)
    done = interpreter.run(
        [sys.executable, "-c", before + SIGNALLED, moment, listed, *arguments],
        cwd=home.folder, env=home.environ, input=stdin, capture_output=True, text=True, timeout=DEADLINE,
    )  # fmt: skip
    return Done(done.returncode, done.stdout, done.stderr)
