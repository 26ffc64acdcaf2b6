"""``reconciler init``."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from reconciler.cli.command import ExampleCommand
from reconciler.cli.options import CONFIG_DEFAULT, acting, actor_option, config_option


@click.command(
    "init",
    cls=ExampleCommand,
    examples=("reconciler init", "reconciler init --config mail/connectors.d"),
)
@config_option
@actor_option
def command(*, config: str, actor: str | None) -> None:
    """Start a configuration: a first connector to edit, roles, and settings.

    Never overwrites a file.
    """
    from reconciler.app.init import start

    done = start(Path(config), acting(actor).name)
    for path in done.written:
        click.echo(f"Wrote {path}")
    for path in done.kept:
        click.echo(f"Kept {path}, which is there already")
    where = "" if config == CONFIG_DEFAULT else f" --config {shlex.quote(config)}"
    click.echo(f"\nEdit the connector, then: reconciler validate{where}")
