"""Options that say how to test: how many at a time, how long, how often."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from reconciler.cli.duration import DURATION

if TYPE_CHECKING:
    from datetime import timedelta

F = TypeVar("F", bound=Callable[..., Any])

_LONGEST = 3600


def _seconds(
    context: click.Context, parameter: click.Parameter, value: timedelta | None
) -> float | None:
    seconds = None if value is None else value.total_seconds()
    if seconds is not None and not 1 <= seconds <= _LONGEST:
        raise click.BadParameter("a test gets from 1s to 1h", context, parameter)
    return seconds


def timeout_option(function: F) -> F:
    """``--timeout``: seconds that one test may take, or None."""
    return click.option(
        "--timeout",
        type=DURATION,
        metavar="TIME",
        callback=_seconds,
        help="Deadline of each test. [default: 30s, or testing.timeout_seconds]",
    )(function)


def tuning_options(function: F) -> F:
    """``--concurrency``, ``--per-host``, ``--timeout`` and ``--retries``."""
    function = click.option(
        "--retries",
        type=click.IntRange(0, 20),
        metavar="N",
        help="New attempts after a failure that the server calls temporary, waiting longer each time;"
        " never after a refused sign-in. [default: 1, or testing.retries]",
    )(function)
    function = timeout_option(function)
    function = click.option(
        "--per-host",
        type=click.IntRange(1, 1024),
        metavar="N",
        help="Tests under way at a time against one host. [default: 3, or testing.per_host]",
    )(function)
    return click.option(
        "--concurrency",
        type=click.IntRange(1, 1024),
        metavar="N",
        help="Tests under way at a time. [default: 32, or testing.concurrency]",
    )(function)


def record_option(function: F) -> F:
    """``--record/--no-record``: whether the state keeps the results."""
    return click.option(
        "--record/--no-record",
        default=True,
        show_default=True,
        help="Keep the results in the state, as the status of the connectors.",
    )(function)
