"""Where a process starts: it notes signals from the start, and acts on them once it can report it."""

from __future__ import annotations

import atexit
import gc
from typing import NoReturn

from reconciler.signals import note_signals


def run() -> NoReturn:
    """Run the command line and end the process with its exit code."""
    note_signals()
    gc.disable()  # imported modules stay; `collect_rarely` decides about the rest
    atexit.register(gc.freeze)  # nobody looks for cycles in what is about to end with the process
    from reconciler.cli.main import run as run_command  # noqa: PLC0415 - it loads click

    run_command()
