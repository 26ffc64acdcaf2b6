"""Options that several commands share, and the workspace that they add up to."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from reconciler.app.actor import Actor
    from reconciler.app.workspace import Workspace
    from reconciler.plan.inputs import Overrides
    from reconciler.probe.shard import Shard

F = TypeVar("F", bound=Callable[..., Any])


CONFIG_VARIABLE = "RECONCILER_CONFIG"
CONFIG_DEFAULT = "connectors.d"


def default_config() -> str:
    """Where the connectors are if no option says so."""
    return os.environ.get(CONFIG_VARIABLE) or CONFIG_DEFAULT


def config_option(function: F) -> F:
    """``--config``: where the connectors are."""
    return click.option(
        "-c",
        "--config",
        "config",
        default=CONFIG_DEFAULT,
        envvar=CONFIG_VARIABLE,
        show_default=True,
        show_envvar=True,
        metavar="FOLDER",
        help="The folder of the connectors; reconciler.yaml lies beside it.",
    )(function)


def state_option(function: F) -> F:
    """``--state``: where the stored state is."""
    return click.option(
        "--state",
        "state",
        envvar="RECONCILER_STATE",
        show_envvar=True,
        metavar="URL",
        help="The stored state. [default: the one of reconciler.yaml, or .reconciler/state.db]",
    )(function)


def network_options(function: F) -> F:
    """``--connect-to`` and ``--ca-file``: for sandboxes and proxies."""
    function = click.option(
        "--connect-to",
        "connect_to",
        multiple=True,
        metavar="HOST:PORT=ADDR:PORT",
        help="Connect there instead; certificates are still checked for HOST. Repeatable; comes before "
        "what RECONCILER_CONNECT_TO says. A lone * forbids all other connections.",
    )(function)
    return click.option(
        "--ca-file",
        "ca_file",
        envvar="RECONCILER_CA_FILE",
        show_envvar=True,
        metavar="FILE",
        help="Trust the certificate authorities in this PEM file too.",
    )(function)


def actor_option(function: F) -> F:
    """``--actor``: who is acting."""
    return click.option(
        "--actor",
        "actor",
        envvar="RECONCILER_ACTOR",
        show_envvar=True,
        metavar="NAME",
        help="Who is acting. [default: who the CI system or the operating system says]",
    )(function)


def acting(told: str | None) -> Actor:
    """Who is acting, after ``--actor`` or its variable, and where that is known from."""
    from reconciler.app.actor import actor  # noqa: PLC0415 - brings subprocess along

    source = click.get_current_context().get_parameter_source("actor")
    by = "RECONCILER_ACTOR" if source is ParameterSource.ENVIRONMENT else "--actor"
    return actor(told, os.environ, by=by)


def color_option(function: F) -> F:
    """``--color/--no-color``: whether to dress the output."""
    return click.option(
        "--color/--no-color",
        "color",
        default=None,
        callback=_keep_colour,
        help="Use colour. [default: on a terminal, unless NO_COLOR is set]",
    )(function)


def _keep_colour(
    context: click.Context,
    parameter: click.Parameter,
    color: bool | None,  # noqa: FBT001 - click's signature of a callback
) -> bool | None:
    # click takes colours out of what does not go to a terminal, unless its context says otherwise.
    del parameter
    context.color = color
    return color


def format_option(*formats: str) -> Callable[[F], F]:
    """``--format``: the form of what goes to standard output."""

    def decorate(function: F) -> F:
        return click.option(
            "--format",
            "form",
            type=click.Choice(formats),
            default=formats[0],
            show_default=True,
            help="The form of the output.",
        )(function)

    return decorate


def credential_option(function: F) -> F:
    """``--allow-credential``: which secrets may go where they were never sent."""
    return click.option(
        "--allow-credential",
        multiple=True,
        metavar="PATTERN",
        help="Let secrets go where they were never sent: REFERENCE or REFERENCE=HOST, with shell"
        " patterns. Repeatable. [env var: RECONCILER_ALLOW_CREDENTIAL]",
    )(function)


def override_options(function: F) -> F:
    """``--allow-…``: what somebody says is meant, each for itself."""
    for option in (
        click.option("--first-apply", is_flag=True,
                     help="Take an empty state for the right one; CI systems have to say so."),
        click.option("--allow-policy-change", is_flag=True,
                     help="Let the global SMTP policy change without anybody to ask."),
        click.option("--allow-updates", type=click.IntRange(min=0), default=0, metavar="N",
                     help="Let up to N connectors be changed, whatever the limits say."),
        click.option("--allow-deletes", type=click.IntRange(min=0), default=0, metavar="N",
                     help="Let up to N connectors be deleted, whatever the limits say."),
    ):  # fmt: skip
        function = option(function)
    return credential_option(function)


def credential_overrides(patterns: tuple[str, ...]) -> Overrides:
    """Put the patterns of ``--allow-credential`` together, for a command that has no other override."""
    return overrides(0, 0, False, patterns)  # noqa: FBT003 - the order is that of the options


def overrides(
    deletes: int,
    updates: int,
    policy_change: bool,  # noqa: FBT001 - the order is that of the options
    credentials: tuple[str, ...],
) -> Overrides:
    """Put the ``--allow-…`` options together."""
    from reconciler.app.trust import credential_patterns  # noqa: PLC0415 - likewise
    from reconciler.plan.inputs import Overrides  # noqa: PLC0415 - pydantic costs to import

    rules = credential_patterns(credentials)
    return Overrides(deletes, updates, policy_change, frozenset(rules))


def workspace(
    config: str,
    *,
    state: str | None = None,
    connect_to: tuple[str, ...] = (),
    ca_file: str | None = None,
) -> Workspace:
    """Put the options, the environment and the settings file together."""
    from reconciler.app.workspace import open_workspace  # noqa: PLC0415 - pydantic costs to import
    from reconciler.mail.dial import joined  # noqa: PLC0415 - as the workspace

    led = joined(connect_to, (os.environ.get("RECONCILER_CONNECT_TO", ""),))
    return open_workspace(Path(config), os.environ, state=state, connect_to=led, ca_file=ca_file)


class ShardType(click.ParamType["Shard"]):
    """Two numbers: which part, of how many."""

    name = "shard"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Shard:
        """Read the text; a value that is a shard already stays one."""
        from reconciler.probe.shard import Shard  # noqa: PLC0415 - only where there are shards

        if isinstance(value, Shard):
            return value
        found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", str(value).strip(), re.ASCII)
        number, count = (int(found[1]), int(found[2])) if found else (0, 0)
        if not 1 <= number <= count:
            self.fail(f"{value!r} is no shard; write 1/8 to 8/8 for eight of them", param, ctx)
        return Shard(number, count)


SHARD = ShardType()


_UNITS = {"": "seconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Duration(click.ParamType[timedelta]):
    """A number and a unit; without a unit, seconds."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        """Read the text; a value that is a duration already stays one."""
        if isinstance(value, timedelta):
            return value
        found = re.fullmatch(r"(\d{1,6})([smhd]?)", str(value).strip())
        if not found:
            self.fail(f"{value!r} is no time; write 30s, 5m, 1h or 2d", param, ctx)
        return timedelta(**{_UNITS[found[2]]: int(found[1])})


DURATION = Duration()

_LONGEST_TIMEOUT = 3600


def _seconds(
    context: click.Context, parameter: click.Parameter, value: timedelta | None
) -> float | None:
    seconds = None if value is None else value.total_seconds()
    if seconds is not None and not 1 <= seconds <= _LONGEST_TIMEOUT:
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
