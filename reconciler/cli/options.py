"""Options that several commands share, and the types of their values; `project` has those of a project."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import click

from reconciler.ci_systems import running_in
from reconciler.render.formats import OutputFormat, formats_of

if TYPE_CHECKING:
    from reconciler.probe.shard import Shard

F = TypeVar("F", bound=Callable[..., Any])


def _output_format(context: click.Context, parameter: click.Parameter, value: str) -> OutputFormat:
    del context, parameter
    return OutputFormat(value)


def format_option(formats: object) -> Callable[[F], F]:
    """``--format``: the format of standard output, one of a set in `render.formats`."""
    names = [item.value for item in formats_of(formats)]

    def decorate(function: F) -> F:
        return click.option(
            "--format",
            "output_format",
            type=click.Choice(names),
            default=names[0],
            show_default=True,
            callback=_output_format,
            help="The format of the output.",
        )(function)

    return decorate


_JOB_INDEX = "JOB_COMPLETION_INDEX"
"""Kubernetes sets it in the pods of a Job whose ``completionMode`` is ``Indexed``, from 0; their number is in no variable."""


class ShardType(click.ParamType["Shard"]):
    """Two numbers: which part, of how many. ``job`` in place of the first is the index of a Kubernetes Job."""

    name = "shard"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Shard:
        """Parse the text; a shard is returned as it is."""
        from reconciler.probe.shard import Shard  # noqa: PLC0415 - only where there are shards

        if isinstance(value, Shard):
            return value
        found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", str(value).strip(), re.ASCII)
        number, count = (int(found[1]), int(found[2])) if found else (0, 0)
        if of_job := re.fullmatch(r"job/([1-9]\d{0,5})", str(value).strip(), re.ASCII):
            count = int(of_job[1])
            number = self._number_of_job(count, param, ctx)
        if not 1 <= number <= count:
            self.fail(f"invalid shard {value!r}: expected K/N, such as 1/4", param, ctx)
        return Shard(number, count)

    def _number_of_job(
        self, count: int, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        index = os.environ.get(_JOB_INDEX, "")
        if not index:
            self.fail(
                f"{_JOB_INDEX} is not set: Kubernetes sets it in a Job of completionMode Indexed",
                param,
                ctx,
            )
        if not re.fullmatch(r"\d{1,6}", index, re.ASCII) or int(index) >= count:
            self.fail(
                f"{_JOB_INDEX} is {index!r}, and {count} shards have the indexes 0 to {count - 1}",
                param,
                ctx,
            )
        return int(index) + 1


SHARD = ShardType()


_UNITS = {"": "seconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Duration(click.ParamType[timedelta]):
    """A number and a unit; without a unit, seconds."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        """Parse the text; a duration is returned as it is."""
        if isinstance(value, timedelta):
            return value
        found = re.fullmatch(r"(\d{1,6})([smhd]?)", str(value).strip())
        if not found:
            self.fail(f"invalid time {value!r}: expected 30s, 5m, 1h or 2d", param, ctx)
        return timedelta(**{_UNITS[found[2]]: int(found[1])})


DURATION = Duration()

_LONGEST_TIMEOUT = 3600


def _seconds(
    context: click.Context, parameter: click.Parameter, value: timedelta | None
) -> float | None:
    seconds = None if value is None else value.total_seconds()
    if seconds is not None and not 1 <= seconds <= _LONGEST_TIMEOUT:
        raise click.BadParameter("expected a time from 1s to 1h", context, parameter)
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


def _terminal_alone(context: click.Context, parameter: click.Parameter, value: bool) -> bool:  # noqa: FBT001 - click's signature
    if value and (not sys.stdout.isatty() or running_in(os.environ)):
        raise click.BadParameter(
            "it needs a terminal outside CI: an answer to a sign-in can repeat the password, which would then stay in a file or a log",
            context,
            parameter,
        )
    return value


def server_text_option(function: F) -> F:
    """``--show-server-text``: whether answers to a sign-in are shown word for word, on a terminal."""
    return click.option(
        "--show-server-text",
        is_flag=True,
        callback=_terminal_alone,
        help="Show the full text of answers to a sign-in, not only codes and known words. Needs a terminal: the text can repeat the password.",
    )(function)


def tuning_options(function: F) -> F:
    """``--concurrency``, ``--per-host``, ``--timeout`` and ``--retries``."""
    function = click.option(
        "--retries",
        type=click.IntRange(0, 20),
        metavar="N",
        help="Retries after a failure that the server calls temporary, with growing delays; never after a rejected sign-in. [default: 1, or testing.retries]",
    )(function)
    function = timeout_option(function)
    function = click.option(
        "--per-host",
        type=click.IntRange(1, 1024),
        metavar="N",
        help="Tests that run at once against one host. [default: 3, or testing.per_host]",
    )(function)
    return click.option(
        "--concurrency",
        type=click.IntRange(1, 1024),
        metavar="N",
        help="Tests that run at once. [default: 32, or testing.concurrency]",
    )(function)


def check_server_text(output_format: OutputFormat, *, shown: bool) -> None:
    """Raise UsageError if servers' text is requested in a format that never contains it."""
    if shown and output_format is not OutputFormat.HUMAN:
        raise click.UsageError(f"--format {output_format} never includes the server's text.")


_LONGEST_COPY_WAIT = 60


def _copy_seconds(context: click.Context, parameter: click.Parameter, value: timedelta) -> float:
    seconds = value.total_seconds()
    if seconds > _LONGEST_COPY_WAIT:
        raise click.BadParameter("expected a time from 0s to 60s", context, parameter)
    return seconds


def copy_wait_option(default: str) -> Callable[[F], F]:
    """``--copy-wait``: seconds for which the server's own copy of a sent mail is looked for."""
    return click.option(
        "--copy-wait",
        type=DURATION,
        metavar="TIME",
        default=default,
        show_default=True,
        callback=_copy_seconds,
        help="How long to look for the server's own copy in Sent before one is filed.",
    )


def record_option(function: F) -> F:
    """``--record/--no-record``: whether the state keeps the results."""
    return click.option(
        "--record/--no-record",
        default=True,
        show_default=True,
        help="Record the results in the state, as the status of the connectors.",
    )(function)
