"""Signals that end a command: when they are acted on, and how a wait hears of them.

Python runs a signal's handler between two steps of the main thread. An exception raised there can hit
code that does not survive one, such as SQLAlchemy and psycopg in the middle of a transaction, so it waits
until such code is through.

A signal that comes after the last step and before a system call that waits is noted, and the call waits
on without it. So whoever waits with no end in sight waits for a descriptor too that the signal itself
makes readable.
"""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

ENDING: Final = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""Ctrl-C, the end of a cancelled pipeline, and of a terminal that was closed."""


class _Deferral:
    """How many blocks of the main thread are not to be interrupted, and whether a signal has come."""

    blocks = 0
    came = False


_deferral = _Deferral()


def raise_interrupt_on_signals() -> None:
    """Let every signal that ends a command raise KeyboardInterrupt, within ``deferred`` at its end.

    What the process was told to ignore, by nohup for example, stays ignored. To be called in the main
    thread.
    """
    for number in ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def hold_signals() -> None:
    """Ignore the first signal that comes from here on to the end of the process.

    What is left to do is short, and how the command ends is decided. A second signal still raises
    KeyboardInterrupt. To be called in the main thread; without effect where :func:`raise_interrupt_on_signals` was
    not called.
    """
    if any(signal.getsignal(number) is _interrupt for number in ENDING):
        _deferral.blocks += 1


class deferred:  # noqa: N801 - read as a function, as contextlib's classes are
    """A block of the main thread that a signal interrupts at its end only, or when it comes twice.

    Blocks may be nested; the outermost counts. In other threads, which signals never interrupt, it does
    nothing.
    """

    __slots__ = ("_before",)

    def __enter__(self) -> None:
        self._before = _deferral.blocks
        if threading.current_thread() is threading.main_thread():
            _deferral.blocks = self._before + 1

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        _deferral.blocks = self._before
        if not self._before and _deferral.came:
            _deferral.came = False
            raise KeyboardInterrupt


def _interrupt(_number: int, _frame: object) -> None:
    if _deferral.blocks and not _deferral.came:
        _deferral.came = True
        return
    # Twice: whoever sends it does not want to wait for a database that hangs.
    _deferral.came = False
    raise KeyboardInterrupt


_retired: list[int] = []
"""Both ends of the pipe that was last in use."""


@contextmanager
def wakened() -> Iterator[int]:
    """Give a descriptor from which the number of each signal that comes can be read, a byte each.

    Only signals that have a handler in Python are told. To be used in the main thread.
    """
    waker, tell = os.pipe()
    os.set_blocking(tell, False)
    before = signal.set_wakeup_fd(tell, warn_on_full_buffer=False)
    try:
        yield waker
    finally:
        signal.set_wakeup_fd(before)
        # Another thread may be in the middle of writing a signal, and complain of a closed descriptor: these two
        # are closed after the next use.
        for descriptor in _retired:
            os.close(descriptor)
        _retired[:] = waker, tell
