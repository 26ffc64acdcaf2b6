"""Whatever Python would print while the gateway runs becomes a JSON line."""

from __future__ import annotations

import io
import json
import logging
import threading
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.gateway.event_log import EventLog, nothing_else_on_stderr

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = "correct horse battery"


class Failing:
    def __del__(self) -> None:
        raise ValueError(SECRET)


def fail() -> None:
    raise ValueError(SECRET)


def in_a_thread() -> None:
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()


def while_finalised() -> None:
    Failing()


def as_a_log_record() -> None:
    try:
        fail()
    except ValueError:
        logging.getLogger("asyncio").exception("Task exception\nwas never retrieved")


def as_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old\nstyle", UserWarning, stacklevel=1)


@pytest.mark.parametrize(
    ("cause", "event"),
    [
        (in_a_thread, {"event": "fault", "origin": "thread", "exception": "ValueError"}),
        (while_finalised, {"event": "fault", "origin": "finaliser", "exception": "ValueError"}),
        (
            as_a_log_record,
            {
                "event": "fault",
                "origin": "asyncio",
                "problem": "Task exception was never retrieved",
                "exception": "ValueError",
            },
        ),
        (as_a_warning, {"event": "warning", "origin": "UserWarning", "problem": "old style"}),
    ],
)
def test_text_that_python_would_print_is_an_event(
    cause: Callable[[], None], event: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    stream = io.StringIO()
    with nothing_else_on_stderr(EventLog(stream)):
        showwarning = warnings.showwarning
        cause_with(showwarning, cause)
    (line,) = stream.getvalue().splitlines()
    found: dict[str, Any] = json.loads(line)
    del found["at"]
    assert found == event
    assert capfd.readouterr().err == ""


def cause_with(showwarning: Any, cause: Callable[[], None]) -> None:
    """Let it happen; ``catch_warnings`` puts back how warnings are shown, so that is set once more."""
    warnings.showwarning = showwarning
    cause()


def test_afterwards_all_is_as_it_was() -> None:
    before = (warnings.showwarning, threading.excepthook, logging.getLogger().handlers[:])
    with nothing_else_on_stderr(EventLog(io.StringIO())):
        pass
    assert (warnings.showwarning, threading.excepthook, logging.getLogger().handlers) == before
