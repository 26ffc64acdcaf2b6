"""Running a command in the sandbox, and waiting there without one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.signals import wakened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import FrameType

    from reconciler.sandbox.session import Session

NOT_EXECUTABLE = 126
NOT_FOUND = 127
KILLED_BY_SIGNAL = 128
"""The exit statuses of POSIX shells (POSIX.1-2024, Shell Command Language, section 2.8.2)."""

PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
FROM_KEYBOARD = (signal.SIGINT, signal.SIGQUIT)
"""What a terminal sends to all processes in its foreground at Ctrl-C and Ctrl-\\."""


class Ended(Struct, frozen=True):
    """How a command ended. ``problem`` is a sentence if it could not even be started."""

    status: int
    problem: str = ""


def run_command(session: Session, argv: Sequence[str], environ: Mapping[str, str]) -> Ended:
    """Run a command with ``environ`` and, over it, what the session adds; wait until it ends.

    The folder that this program's own script is in comes first in PATH, so that the command can be
    ``reconciler`` itself. Signals are passed on to the command. The exit status follows the shell:
    128 plus the signal's number if a signal ended it, 127 if the command is not found, 126 if it
    cannot be executed.
    """
    environment = {**environ, **session.environment}
    folder = script_folder(sys.argv[0], sys.executable)
    if folder is not None:
        path = environment.get("PATH", os.defpath)
        environment["PATH"] = f"{folder}{os.pathsep}{path}" if path else str(folder)
    with signals_awaited(signal.SIGCHLD) as next_signal:
        try:
            process = subprocess.Popen(argv, env=environment)  # noqa: S603 - running it is the point
        except FileNotFoundError:
            return Ended(NOT_FOUND, f"{argv[0]}: command not found")
        except OSError as error:
            return Ended(NOT_EXECUTABLE, f"{argv[0]}: cannot be executed: {error.strerror}")
        with process:
            while (status := process.poll()) is None:
                number = next_signal()
                if number in PASSED_ON and not (number in FROM_KEYBOARD and _terminal_is_ours()):
                    process.send_signal(number)
    return Ended(KILLED_BY_SIGNAL - status if status < 0 else status)


@contextmanager
def signals_awaited(*more: signal.Signals) -> Iterator[Callable[[], int]]:
    """Catch the signals that end a program, and some more; yields a function that waits for the next.

    It returns the signal's number, without missing any. Signals that the program ignores stay ignored.
    Use it in the main thread, which alone receives signals, and around anything that invites somebody
    to send one.
    """
    before = {number: signal.getsignal(number) for number in PASSED_ON}
    heard = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    before |= {number: signal.getsignal(number) for number in more}
    heard.extend(more)
    with wakened() as waker:
        blocked = signal.pthread_sigmask(signal.SIG_UNBLOCK, heard)  # as our parent process set it
        try:
            for number in heard:
                signal.signal(number, _let_it_wake)
            yield lambda: os.read(waker, 1)[0]
        finally:
            for number in heard:
                signal.signal(number, before[number])
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def script_folder(program: str, python: str) -> Path | None:
    """Find the folder with the ``reconciler`` script that belongs to this process, if there is one.

    ``program`` is what was started (``sys.argv[0]``), ``python`` the interpreter: the script is
    beside it in a virtual environment, also when the program was started with ``python -m``.
    """
    for folder in (Path(program).absolute().parent, Path(python).absolute().parent):
        script = folder / "reconciler"
        if script.is_file() and os.access(script, os.X_OK):
            return folder
    return None


def _let_it_wake(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: having a handler makes the signal reach ``wakened``."""


def _terminal_is_ours() -> bool:
    """Whether we run in the foreground of a terminal.

    Then Ctrl-C has reached the command already: the terminal sends it to the whole process group.
    """
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
