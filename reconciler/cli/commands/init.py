"""``reconciler init``."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import click

from reconciler.cli.command import ExampleCommand
from reconciler.cli.new_connector import (
    ConnectorChoices,
    connector_options,
    show_lookup,
    show_notes,
)
from reconciler.cli.project import Project, Uses, project_options


@click.command(
    "init",
    cls=ExampleCommand,
    examples=(
        "reconciler init",
        "reconciler init support@example.com",
        "reconciler init --config mail/connectors.d",
    ),
)
@click.argument("address", required=False)
@connector_options
@project_options(Uses.FOLDER | Uses.ACTOR | Uses.NETWORK | Uses.COLOR)
def command(project: Project, *, choices: ConnectorChoices, address: str | None) -> None:
    """Start a project: a first connector, roles, and settings.

    With ADDRESS, finds the servers of that mailbox as `reconciler add` does; without it, the connector is an example
    to edit. Never overwrites a file, and does not start a project inside another one.
    """
    from reconciler.app.init import place_to_start, start
    from reconciler.app.project_folder import CONNECTORS

    root = place_to_start(project.config, os.environ)
    first = None
    if address is not None or choices.from_file is not None:
        from reconciler.app.add import Surroundings, prepare

        around = Surroundings.fresh(root, choices.network(project))
        first = prepare(choices.options(address or ""), around, choices.questions(), show_lookup)
    done = start(root, project.actor().name, first)
    for path in done.written:
        click.echo(f"Wrote {path}")
    for path in done.kept:
        click.echo(f"Kept {path}, which already exists")
    where = "" if root == Path(CONNECTORS) else f" --config {shlex.quote(str(root))}"
    if first is None:
        click.echo(f"\nEdit the connector, then: reconciler validate{where}")
        return
    show_notes(first, project)
    click.echo(f"\nNext: reconciler validate{where}, then reconciler test {first.name}{where}")
