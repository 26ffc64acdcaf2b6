"""Signals that end a command: when they take effect, and how they interrupt a wait.

Python runs a signal's handler between two steps of the main thread. An exception raised there can hit
code that does not survive one, such as SQLAlchemy and psycopg in the middle of a transaction, so it is
deferred until such code has finished (``deferred``). The same goes for imports, which would leave half
a module behind, and for finalizers, which would swallow it.

The first signal interrupts the command, and the second interrupts what the command still does at its
end, or the transaction that the first one waits for. No further exception is raised: the third signal
ends the process at once, with the command's last message (``end_at_once_with``). So two nested handlers
catch everything. Once the outcome of the command is decided (``settle_signals``), the first two signals
do nothing.

A signal that arrives after the last step and before a blocking system call is only noted, and the call
blocks anyway. So an unlimited wait must also wait for a descriptor that the signal itself makes
readable.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType, TracebackType

ENDING: Final = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""Ctrl-C, the end of a cancelled pipeline, and of a terminal that was closed."""

_ON_THE_SPOT: Final = 3
"""The signal that ends the process at once."""

_AGAIN_SECONDS: Final = 0.02
"""How soon a signal that arrived at a bad moment is retried."""

_IMPORTING: Final = "<frozen importlib._bootstrap>"


def _interrupted() -> tuple[int, str]:
    return 128 + signal.SIGINT, "Interrupted.\n"


class _Signals:
    """How many signals have arrived, and what the next one does.

    ``blocks`` counts the uninterruptible blocks of the main thread, and ``waiting`` says whether a
    signal waits for their end. Once ``settled``, none raises an exception.
    """

    blocks = 0
    waiting = False
    came = 0
    newest = signal.SIGINT
    settled = False
    last_words: Callable[[], tuple[int, str]] = staticmethod(_interrupted)
    listener: Callable[[], object] | None = None


_signals = _Signals()


def note_signals() -> None:
    """Note each signal that ends a command, until ``raise_interrupt_on_signals``, which acts on it.

    Signals that the process ignores, because of nohup for example, stay ignored. Call it in the main
    thread.
    """
    _signals.settled = True
    for number in ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _handle)
    sys.unraisablehook = _not_raised


def raise_interrupt_on_signals() -> None:
    """Let every signal that ends a command raise KeyboardInterrupt, within ``deferred`` at its end.

    Raises it for one that was noted before. To be called in the main thread.
    """
    if signal.getsignal(signal.SIGINT) is not _handle:
        note_signals()
    _signals.settled = False
    if _signals.came:
        raise KeyboardInterrupt


def call_on_signals(listener: Callable[[], object]) -> None:
    """Call ``listener`` at every signal that ends a command, until the process ends, and do nothing else.

    For a server, which then ends by itself. Call it in the main thread.
    """
    if signal.getsignal(signal.SIGINT) is not _handle:
        note_signals()
    _signals.listener = listener


def end_at_once_with(last_words: Callable[[], tuple[int, str]]) -> None:
    """Set how the third signal ends the process: its exit code, and the message on standard error."""
    _signals.last_words = last_words


def signals_came() -> bool:
    """Whether a signal that should end the command has arrived."""
    return _signals.came > 0


def hold_signals() -> None:
    """Ignore the first signal from here on; the second still raises KeyboardInterrupt.

    The remaining work may take a moment, and the outcome of the command does not depend on it. To be
    called in the main thread; without effect where :func:`raise_interrupt_on_signals` was not called.
    """
    if any(signal.getsignal(number) is _handle for number in ENDING):
        _signals.blocks += 1


def settle_signals() -> None:
    """Raise no exception from here on: the outcome of the command is decided, and little is left to do."""
    _signals.settled = True


def ignore_signals() -> None:
    """Ignore every signal that ends a command: the interpreter's shutdown restores their default effect."""
    for number in ENDING:
        if signal.getsignal(number) is _handle:
            signal.signal(number, signal.SIG_IGN)


class deferred:  # noqa: N801 - read as a function, as contextlib's classes are
    """A block of the main thread that a signal interrupts only at its end, or when it arrives twice.

    Blocks may be nested; the outermost counts. In other threads, which signals never interrupt, it does
    nothing.
    """

    __slots__ = ("_before",)

    def __enter__(self) -> None:
        self._before = _signals.blocks
        if threading.current_thread() is threading.main_thread():
            _signals.blocks = self._before + 1

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        _signals.blocks = self._before
        if not self._before and _signals.waiting:
            _signals.waiting = False
            raise KeyboardInterrupt


def act_on_signal() -> None:
    """Raise KeyboardInterrupt within ``deferred`` if a signal waits for its end.

    For long work that leaves nothing behind when it ends early, such as an export, at a moment when an exception does
    no harm.
    """
    if _signals.waiting and threading.current_thread() is threading.main_thread():
        _signals.waiting = False
        raise KeyboardInterrupt


def _handle(number: int, frame: FrameType | None) -> None:
    if _signals.listener is not None:
        _signals.listener()
        return
    _signals.came += 1
    _signals.newest = signal.Signals(number)
    if _signals.came >= _ON_THE_SPOT:
        _end_at_once()
    if _signals.settled:
        return
    if _signals.blocks and not _signals.waiting:
        _signals.waiting = True
        return
    if _comes_badly(frame):
        _send_again()
        return
    # Twice: the user does not want to wait for a database that hangs.
    _signals.waiting = False
    raise KeyboardInterrupt


def _end_at_once() -> NoReturn:
    code, words = _signals.last_words()
    with suppress(OSError):
        os.write(2, words.encode("utf-8", "backslashreplace"))
    os._exit(code)


def _comes_badly(frame: FrameType | None) -> bool:
    """Whether an exception would leave half a module behind, or be swallowed."""
    while frame is not None:
        if frame.f_code.co_filename == _IMPORTING or frame.f_code is _not_raised.__code__:
            return True
        frame = frame.f_back
    return False


def _not_raised(found: sys.UnraisableHookArgs) -> None:
    """Show an exception that cannot be raised where it occurred; an interrupt is raised again later.

    After one, there are others: a second one can keep a generator from ending before its context is gone.
    """
    if issubclass(found.exc_type, KeyboardInterrupt):
        _send_again()
    elif not _signals.came:
        sys.__unraisablehook__(found)


def _send_again() -> None:
    _signals.came -= 1
    # Not threading.Thread, whose locks the main thread may hold at this very moment.
    with suppress(RuntimeError):  # the interpreter shuts down, and nothing is left to interrupt
        _thread.start_new_thread(_send_soon, (_signals.newest,))


def _send_soon(number: signal.Signals) -> None:
    time.sleep(_AGAIN_SECONDS)
    if sys.platform != "win32":
        signal.pthread_kill(threading.main_thread().ident or 0, number)  # which also ends a wait
    else:
        signal.raise_signal(number)


_retired: list[int] = []
"""Both ends of the most recent pipe."""


@contextmanager
def wakened() -> Iterator[int]:
    """Yield a descriptor from which the number of each arriving signal can be read, one byte each.

    It receives only signals with a Python handler. Use it in the main thread.
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
