"""A process that is attacked from within: it sends itself signals at one of the calls that it makes.

    python attacked.py SETTINGS COMMAND...

``SETTINGS`` is JSON. The command is one of the command line, or ``mailer``, which sends mails in threads as
an application does. The calls of the main thread are counted, of functions in Python and in C alike, so
that an attack hits the same place whenever it is repeated.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler import Mailer, RawMessage
from reconciler.cli.main import run
from reconciler.errors import ReconcilerError
from reconciler.state import lease

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType


def counted(
    at: int, numbers: list[int], mark: str
) -> tuple[Callable[[FrameType, str, object], None], Callable[[], tuple[int, int]]]:
    """Return a profile function that sends the signals at call ``at``, and one that returns the counts.

    These are the number of calls, and how many there were when a function named ``mark`` was first called.
    """
    count = marked = 0

    def step(frame: FrameType, event: str, _: object) -> None:
        nonlocal count, marked
        if event not in {"call", "c_call"}:
            return
        count += 1
        if not marked and event == "call" and frame.f_code.co_name == mark:
            marked = count
        if count == at:
            sys.setprofile(None)
            for number in numbers:
                os.kill(os.getpid(), number)

    return step, lambda: (count, marked)


def mailer(folder: str, connector: str, *identifiers: str) -> None:
    """Send mails from four threads, and print the result of each on a line."""

    def send(identifier: str) -> None:
        content = Path(folder, identifier).read_bytes()
        try:
            opened.send(RawMessage(content), connector=connector)
            result = "sent"
        except ReconcilerError as error:
            result = type(error).__name__
        os.write(1, f"{json.dumps([identifier, result])}\n".encode())

    with Mailer.open(timeout=20, copy_search=0.0) as opened, ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(send, identifier) for identifier in identifiers]:
            done.result()


def main() -> None:
    """Run the command as the settings say."""
    settings: dict[str, Any] = json.loads(sys.argv.pop(1))
    lease.LASTS = timedelta(seconds=settings["lease"])
    step, counts = counted(settings["at"], settings["signals"], settings["mark"])
    if settings["at"] or settings["counts"]:
        sys.setprofile(step)
    try:
        if sys.argv[1] == "mailer":
            signal.signal(signal.SIGINT, signal.default_int_handler)
            mailer(*sys.argv[2:])
        else:
            run()
    finally:
        sys.setprofile(None)
        if settings["counts"]:
            Path(settings["counts"]).write_text(json.dumps(counts()), "ascii")


if __name__ == "__main__":
    main()
