"""``reconciler import``."""

from __future__ import annotations

from pathlib import Path

import click

from reconciler.cli.command import ExampleCommand
from reconciler.cli.options import color_option, config_option, state_option, workspace


@click.command(
    "import",
    cls=ExampleCommand,
    examples=(
        "reconciler import",
        "reconciler import --state postgresql://db.example.com/mail --out from-the-state",
    ),
)
@config_option
@state_option
@click.option("--out", type=click.Path(path_type=Path), metavar="FOLDER",
              help="Write there. [default: the folder of --config]")  # fmt: skip
@color_option
def command(*, config: str, state: str | None, out: Path | None, color: bool | None) -> None:
    """Write everything that is stored as YAML, with references in place of secrets.

    The files are valid, and a plan of them is empty; nothing is written otherwise. No file is
    overwritten.
    """
    from reconciler.app.export_yaml import write_stored
    from reconciler.cli.terminal import stderr_style, stdout_style
    from reconciler.render.human.diagnostics import diagnostics
    from reconciler.render.human.plan import summary

    space = workspace(config, state=state)
    folder = out or Path(config)
    done = write_stored(space, folder)
    if done.warnings:
        click.echo(diagnostics(done.warnings, stderr_style(colour=color)), err=True)
    for path in done.files:
        click.echo(f"Wrote {path}")
    style = stdout_style(colour=color)
    click.echo(f"\n{style.strong(summary(done.plan))}")
    click.echo("Put the files into git, and go on with: reconciler validate")
