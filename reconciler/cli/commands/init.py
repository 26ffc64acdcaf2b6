"""``reconciler init``."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from reconciler.cli.command import ExampleCommand
from reconciler.cli.project import CONFIG_DEFAULT, Project, Uses, project_options


@click.command(
    "init",
    cls=ExampleCommand,
    examples=("reconciler init", "reconciler init --config mail/connectors.d"),
)
@project_options(Uses.CONFIG | Uses.ACTOR)
def command(project: Project) -> None:
    """Start a configuration: a first connector to edit, roles, and settings.

    Never overwrites a file.
    """
    from reconciler.app.init import start

    done = start(Path(project.config), project.actor().name)
    for path in done.written:
        click.echo(f"Wrote {path}")
    for path in done.kept:
        click.echo(f"Kept {path}, which is there already")
    where = "" if project.config == CONFIG_DEFAULT else f" --config {shlex.quote(project.config)}"
    click.echo(f"\nEdit the connector, then: reconciler validate{where}")
