"""``reconciler rollback``."""

from __future__ import annotations

from pathlib import Path

import click

from reconciler.cli.command import ExampleCommand
from reconciler.cli.options import color_option, config_option, state_option, workspace


@click.command(
    "rollback",
    cls=ExampleCommand,
    examples=("reconciler rollback 11 --out back-to-11",),
)
@click.argument("serial", type=click.IntRange(min=1), metavar="SERIAL")
@click.option("--out", type=click.Path(path_type=Path), metavar="FOLDER", required=True,
              help="Write there; no file is overwritten.")  # fmt: skip
@config_option
@state_option
@color_option
def command(*, serial: int, out: Path, config: str, state: str | None, color: bool | None) -> None:
    """Write the YAML of a revision, to go back to it by way of git.

    The state is not changed: what applies is what is in git. A connector that was renamed since keeps
    its history, and a secret is the one that its reference leads to now.
    """
    from reconciler.app.export_yaml import write_revision
    from reconciler.cli.terminal import stderr_style, stdout_style
    from reconciler.render.human.diagnostics import diagnostics
    from reconciler.render.human.plan import summary

    done = write_revision(workspace(config, state=state), out, serial)
    if done.warnings:
        click.echo(diagnostics(done.warnings, stderr_style(colour=color)), err=True)
    for path in done.files:
        click.echo(f"Wrote {path}")
    style = stdout_style(colour=color)
    click.echo(f"\nAgainst what is stored now: {style.strong(summary(done.plan))}")
    click.echo(
        f"Nothing was applied. To go back to revision {serial}:\n"
        f"  1. reconciler plan --config {out}   shows what would change\n"
        f"  2. put these files in place of those in {config}, and commit them\n"
        "  3. reconciler apply, as for any other change"
    )
