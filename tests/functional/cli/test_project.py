"""The common options: declared once, and shown by the commands that use them."""

from __future__ import annotations

import inspect
from collections import defaultdict
from dataclasses import fields
from typing import TYPE_CHECKING, Final

import click
import pytest
from click.testing import CliRunner

from reconciler.cli.main import cli
from reconciler.cli.project import Project, Uses, project_options

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMON: Final = {item.name for item in fields(Project)}


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """Every command and subcommand, with its words."""
    context = click.Context(group, **group.context_settings)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        yield " ".join((*path, name)), found
        if isinstance(found, click.Group):
            yield from commands(found, (*path, name))


ALL: Final = dict(commands(cli))


def common(command: click.Command) -> set[str]:
    """The names of the fields of Project that a command has options for."""
    return {str(item.name) for item in command.params} & COMMON


def test_a_common_option_has_the_same_help_everywhere() -> None:
    helps = defaultdict(set)
    for command in ALL.values():
        for item in command.params:
            if isinstance(item, click.Option) and item.name in COMMON:
                helps[item.name].add((item.help, item.metavar, str(item.envvar)))
    assert set(helps) == COMMON
    assert {name: texts for name, texts in helps.items() if len(texts) > 1} == {}


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("validate", {"environment", "policy", "config", "directory", "color"}),
        ("init", {"config", "directory", "actor_name", "connect_to", "ca_file", "color"}),
        ("status", {"environment", "policy", "config", "directory", "state", "color"}),
        ("route", {"environment", "policy", "state", "color"}),
        ("schema", set()),
        ("state unlock", {"environment", "policy", "config", "directory", "state"}),
        ("state forget", {"environment", "policy", "config", "directory", "state", "actor_name"}),
        (
            "sendmail",
            {"environment", "policy", "config", "state", "actor_name", "connect_to", "ca_file"},
        ),
        ("plan", COMMON),
        ("apply", COMMON),
    ],
)
def test_a_command_shows_the_options_that_it_uses(command: str, options: set[str]) -> None:
    assert common(ALL[command]) == options


def test_a_command_that_has_common_options_gets_the_project() -> None:
    for name, command in ALL.items():
        callback = inspect.unwrap(command.callback) if command.callback else None
        takes = callback is not None and "project" in inspect.signature(callback).parameters
        assert takes == bool(common(command)), name


def test_sendmail_leaves_short_options_to_its_caller() -> None:
    assert [item.opts for item in ALL["sendmail"].params if item.name == "config"] == [["--config"]]


@pytest.mark.parametrize(
    ("group", "line", "source"),
    [
        (Uses.ACTOR, ("--actor", "ada"), "--actor"),
        (Uses.SENDER, ("--as", "ada"), "--as"),
        (Uses.SENDER, (), "RECONCILER_ACTOR"),
    ],
)
def test_the_actor_comes_with_the_option_or_variable_that_names_it(
    group: Uses, line: tuple[str, ...], source: str
) -> None:
    @click.command()
    @project_options(group)
    def command(project: Project) -> None:
        who = project.actor()
        click.echo(f"{who.name} by {who.source}")

    done = CliRunner().invoke(command, line, env={"RECONCILER_ACTOR": "joan"})
    assert done.output == f"{'ada' if line else 'joan'} by {source}\n"
