"""The project that a command works on: the common options, and what they open.

A common option is declared once, as a field of `Project`. A command names the groups that it uses::

    @click.command("plan", cls=ExampleCommand, examples=("reconciler plan",))
    @project_options(Uses.CONFIG | Uses.STATE | Uses.ACTOR)
    def command(project: Project) -> ExitCode: ...

and its ``--help`` shows the options of these groups after its own.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields
from enum import Flag, auto
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import click
from click.core import ParameterSource

from reconciler.cli import completion
from reconciler.cli.arguments import whole_number
from reconciler.cli.working_folder import go_to
from reconciler.model.address import Kind
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.app.actor import Actor
    from reconciler.app.project_folder import ProjectFolder
    from reconciler.app.workspace import Workspace
    from reconciler.plan.inputs import Overrides
    from reconciler.plan.scope import Scope
    from reconciler.render.terminal import Style

R = TypeVar("R")

CONFIG_VARIABLE = "RECONCILER_CONFIG"
ACTOR_VARIABLE = "RECONCILER_ACTOR"

_NAMES = "names"
_ATTRIBUTES = "attributes"


class Uses(Flag):
    """The groups of common options."""

    CONFIG = auto()
    CONFIG_WITHOUT_SHORT = auto()
    """As CONFIG, without ``-c``: for `sendmail`, whose callers combine short options."""
    FOLDER = auto()
    """As CONFIG, without the owner's rules, which `init` does not read."""
    STATE = auto()
    NETWORK = auto()
    ACTOR = auto()
    SENDER = auto()
    """As ACTOR, by the name ``--as``: for the commands about mail."""
    CREDENTIALS = auto()
    OVERRIDES = auto()
    SCOPE = auto()
    SCOPE_WITHOUT_LABEL = auto()
    """As SCOPE, for `test`, which has its own option for labels."""
    COLOR = auto()


def _option(names: Mapping[Uses, tuple[str, ...]], default: object, **attributes: Any) -> Any:
    """Make a field that an option fills; ``names`` are the option's, by the group that shows it."""
    return field(default=default, metadata={_NAMES: names, _ATTRIBUTES: attributes})


def _keep_colour(
    context: click.Context,
    parameter: click.Parameter,
    color: bool | None,  # noqa: FBT001 - click's signature of a callback
) -> bool | None:
    # click strips colours from what does not go to a terminal, unless its context says otherwise.
    del parameter
    context.color = color
    return color


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """The common options of a command line; options that a command does not have keep their default.

    The methods open what the options name. Their imports are local, so that ``--help`` needs none.
    """

    config: tuple[Path, ...] = _option(
        {Uses.CONFIG | Uses.FOLDER: ("-c", "--config"), Uses.CONFIG_WITHOUT_SHORT: ("--config",)},
        (),
        multiple=True,
        type=click.Path(path_type=Path),
        envvar=CONFIG_VARIABLE,
        show_envvar=True,
        metavar="FOLDER",
        help="A project, or a folder of connectors. Repeatable, to read several folders."
        " [default: connectors.d of the project in the working folder or above it]",
    )
    directory: bool = _option(
        {Uses.CONFIG | Uses.FOLDER: ("-C", "--directory")},
        default=None,
        is_eager=True,
        type=click.Path(path_type=Path),
        callback=go_to,
        metavar="DIR",
        help="Run as if started in DIR.",
    )
    state: str | None = _option(
        {Uses.STATE: ("--state",)},
        None,
        envvar="RECONCILER_STATE",
        show_envvar=True,
        metavar="URL",
        help="The stored state. [default: `state` in reconciler.yaml, or .reconciler/state.db]",
    )
    environment: str | None = _option(
        {Uses.CONFIG | Uses.CONFIG_WITHOUT_SHORT | Uses.STATE: ("--env",)},
        None,
        envvar="RECONCILER_ENV",
        show_envvar=True,
        shell_complete=completion.environments,
        metavar="NAME",
        help="An environment that reconciler.yaml declares.",
    )
    policy: str | None = _option(
        {Uses.CONFIG | Uses.CONFIG_WITHOUT_SHORT | Uses.STATE: ("--policy",)},
        None,
        envvar="RECONCILER_POLICY",
        show_envvar=True,
        metavar="FILE",
        help="The owner's rules: a file outside the project that allows more, or less, than the defaults.",
    )
    first_apply: bool = _option(
        {Uses.OVERRIDES: ("--first-apply",)},
        default=False,
        is_flag=True,
        help="Accept an empty state; CI systems need this for the first apply.",
    )
    allow_policy_change: bool = _option(
        {Uses.OVERRIDES: ("--allow-policy-change",)},
        default=False,
        is_flag=True,
        help="Allow the global SMTP policy to change without a prompt.",
    )
    allow_updates: int = _option(
        {Uses.OVERRIDES: ("--allow-updates",)},
        0,
        type=whole_number(),
        metavar="N",
        help="Allow up to N connectors to be changed, whatever the limits.",
    )
    allow_deletes: int = _option(
        {Uses.OVERRIDES: ("--allow-deletes",)},
        0,
        type=whole_number(),
        metavar="N",
        help="Allow up to N connectors to be deleted, whatever the limits.",
    )
    allow_credential: tuple[str, ...] = _option(
        {Uses.CREDENTIALS | Uses.OVERRIDES: ("--allow-credential",)},
        (),
        multiple=True,
        metavar="PATTERN",
        help="Allow secrets to be sent to servers where they were never applied: REFERENCE,"
        " REFERENCE=HOST or provider:NAME, with shell patterns. Repeatable."
        " [env var: RECONCILER_ALLOW_CREDENTIAL]",
    )
    scope_only: tuple[str, ...] = _option(
        {Uses.SCOPE | Uses.SCOPE_WITHOUT_LABEL: ("--only",)},
        (),
        multiple=True,
        shell_complete=completion.addresses,
        metavar="PATTERN",
        help="Only this: a connector with its permissions, or an address such as Group.staff, with"
        " shell patterns. Repeatable: any of them. Includes what it depends on.",
    )
    scope_labels: tuple[str, ...] = _option(
        {Uses.SCOPE: ("-l", "--label")},
        (),
        multiple=True,
        shell_complete=completion.labels,
        metavar="LABEL",
        help="Only connectors with this label. Repeatable: all of them.",
    )
    scope_kinds: tuple[str, ...] = _option(
        {Uses.SCOPE | Uses.SCOPE_WITHOUT_LABEL: ("--kind",)},
        (),
        multiple=True,
        type=click.Choice([item.value for item in Kind], case_sensitive=False),
        help="Only resources of this kind. Repeatable: any of them.",
    )
    actor_name: str | None = _option(
        {Uses.ACTOR: ("--actor",), Uses.SENDER: ("--as",)},
        None,
        envvar=ACTOR_VARIABLE,
        show_envvar=True,
        metavar="NAME",
        help="Act as this user. [default: the user of the CI system or the operating system]",
    )
    connect_to: tuple[str, ...] = _option(
        {Uses.NETWORK: ("--connect-to",)},
        (),
        multiple=True,
        metavar="HOST:PORT=ADDR:PORT",
        help="Connect to ADDR:PORT instead of HOST:PORT; certificates are still checked for HOST."
        " Repeatable; takes precedence over RECONCILER_CONNECT_TO. A lone * forbids all other connections.",
    )
    ca_file: str | None = _option(
        {Uses.NETWORK: ("--ca-file",)},
        None,
        envvar="RECONCILER_CA_FILE",
        show_envvar=True,
        metavar="FILE",
        help="Trust the certificate authorities in this PEM file too.",
    )
    color: bool | None = _option(
        {Uses.COLOR: ("--color/--no-color",)},
        None,
        callback=_keep_colour,
        help="Use colour. [default: on a terminal, unless NO_COLOR is set]",
    )

    def at(self, folder: str) -> Self:
        """Return the same project with the connectors of another folder; "" is the default one."""
        text = folder or os.environ.get(CONFIG_VARIABLE, "")
        named = (folder,) if folder else text.split(os.pathsep) if text else ()
        return replace(self, config=tuple(map(Path, named)))

    def folder(self) -> ProjectFolder:
        """Find the project: upwards from the working folder, unless its folders are named."""
        from reconciler.app.project_folder import find_project  # noqa: PLC0415 - as below

        return find_project(os.environ, self.config, trusted=self.directory)

    def workspace(self) -> Workspace:
        """Open the workspace: the options, the environment and the settings file together."""
        from reconciler.app.workspace import open_workspace  # noqa: PLC0415 - pydantic costs to import
        from reconciler.model.connect_to import joined  # noqa: PLC0415 - as above

        return open_workspace(
            self.folder(),
            os.environ,
            state=self.state,
            connect_to=joined(self.connect_to, (os.environ.get("RECONCILER_CONNECT_TO", ""),)),
            ca_file=self.ca_file,
            policy=self.policy,
            environment=self.environment,
        )

    def actor(self) -> Actor:
        """Determine the actor, and the option, variable or system that names them."""
        from reconciler.app.actor import actor  # noqa: PLC0415 - as above

        context = click.get_current_context()
        source = context.get_parameter_source("actor_name")
        option = next(item for item in context.command.params if item.name == "actor_name")
        by = ACTOR_VARIABLE if source is ParameterSource.ENVIRONMENT else option.opts[0]
        return actor(self.actor_name, os.environ, by=by)

    def scope(self) -> Scope:
        """Read the requested scope."""
        from reconciler.plan.scope import Scope  # noqa: PLC0415 - as above

        kinds = tuple(Kind(item) for item in self.scope_kinds)
        return Scope(self.scope_only, self.scope_labels, kinds)

    def overrides(self) -> Overrides:
        """Read the ``--allow-…`` options; raises UsageError for a pattern that is not valid."""
        from reconciler.app.trust import credential_patterns  # noqa: PLC0415 - as above
        from reconciler.plan.inputs import Overrides  # noqa: PLC0415 - as above

        return Overrides(
            deletes=self.allow_deletes,
            updates=self.allow_updates,
            policy_change=self.allow_policy_change,
            credentials=frozenset(credential_patterns(self.allow_credential)),
        )

    def stdout_style(self) -> Style:
        """Choose the colours and width of standard output."""
        from reconciler.cli.terminal import stdout_style  # noqa: PLC0415 - only where there is output

        return stdout_style(colour=self.color)

    def stderr_style(self) -> Style:
        """Choose the colours and width of standard error."""
        from reconciler.cli.terminal import stderr_style  # noqa: PLC0415 - as above

        return stderr_style(colour=self.color)


def project_options(uses: Uses) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Give a command the common options of some groups, and a `Project` in their place."""
    options = {
        item.name: click.option(
            *names, item.name, default=item.default, **item.metadata[_ATTRIBUTES]
        )
        for item in fields(Project)
        for group, names in item.metadata[_NAMES].items()
        if group & uses
    }

    def decorate(function: Callable[..., R]) -> Callable[..., R]:
        @wraps(function)
        def command(**values: Any) -> R:
            project = Project(**{name: values.pop(name) for name in options})
            return function(project=project, **values)

        for option in reversed(options.values()):
            option(command)
        return command

    return decorate
