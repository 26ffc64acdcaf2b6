"""``reconciler init``."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import click

from reconciler.cli.command import ExampleCommand
from reconciler.cli.project import Project, Uses, project_options


@click.command(
    "init",
    cls=ExampleCommand,
    examples=("reconciler init", "reconciler init --config mail/connectors.d"),
)
@project_options(Uses.FOLDER | Uses.ACTOR)
def command(project: Project) -> None:
    """Start a project: a first connector to edit, roles, and settings.

    Never overwrites a file, and starts no project inside another one.
    """
    from reconciler.app.init import place_to_start, start
    from reconciler.app.project_folder import CONNECTORS

    root = place_to_start(project.config, os.environ)
    done = start(root, project.actor().name)
    for path in done.written:
        click.echo(f"Wrote {path}")
    for path in done.kept:
        click.echo(f"Kept {path}, which already exists")
    where = "" if root == Path(CONNECTORS) else f" --config {shlex.quote(str(root))}"
    click.echo(f"\nEdit the connector, then: reconciler validate{where}")
