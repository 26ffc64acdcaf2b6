"""The gateway's log: a JSON object per line on standard error, without secrets or mail content."""

from __future__ import annotations

import json
import logging
import sys
import threading
import warnings
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, TextIO

_LONGEST: Final = 400
"""The maximum length of a library's message."""


class EventLog:
    """Writes events; threads share it. With ``verbose``, connections and refused commands too."""

    def __init__(self, stream: TextIO, *, verbose: bool = False) -> None:
        self._stream = stream
        self._verbose = verbose
        self._turn = threading.Lock()

    def event(self, name: str, **fields: str | float | None) -> None:
        """Write an event; fields that are None or empty are left out."""
        known = {key: value for key, value in fields.items() if value not in (None, "")}
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"at": at, "event": name, **known}, ensure_ascii=True)
        with self._turn:
            self._stream.write(f"{line}\n")
            self._stream.flush()

    def detail(self, name: str, **fields: str | float | None) -> None:
        """Write an event that only ``-v`` shows."""
        if self._verbose:
            self.event(name, **fields)


class _Records(logging.Handler):
    """Writes log records as events, with only the type of an exception."""

    def __init__(self, log: EventLog) -> None:
        super().__init__(logging.WARNING)
        self._events = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        failed = record.exc_info[0] if record.exc_info else None
        self._events.event(
            "fault" if record.levelno >= logging.ERROR else "warning",
            origin=record.name,
            problem=_short(record.getMessage()),
            exception=failed.__name__ if failed else "",
        )


@contextmanager
def nothing_else_on_stderr(log: EventLog) -> Iterator[None]:
    """Write log records, warnings and exceptions of threads as events during a block."""

    def warned(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        log.event("warning", origin=category.__name__, problem=_short(str(message)))

    def thread_failed(arguments: threading.ExceptHookArgs) -> None:
        log.event("fault", origin="thread", exception=arguments.exc_type.__name__)

    def not_raised(arguments: sys.UnraisableHookArgs) -> None:
        log.event("fault", origin="finaliser", exception=arguments.exc_type.__name__)

    root, records = logging.getLogger(), _Records(log)
    before = warnings.showwarning, threading.excepthook, sys.unraisablehook
    warnings.showwarning = warned
    threading.excepthook = thread_failed
    sys.unraisablehook = not_raised
    root.addHandler(records)
    try:
        yield
    finally:
        root.removeHandler(records)
        warnings.showwarning, threading.excepthook, sys.unraisablehook = before


def _short(text: str) -> str:
    return " ".join(text.split())[:_LONGEST]
