"""``reconciler rollback``."""

from __future__ import annotations

from pathlib import Path

import click

from reconciler.cli.arguments import whole_number
from reconciler.cli.command import ExampleCommand
from reconciler.cli.project import Project, Uses, project_options


@click.command(
    "rollback",
    cls=ExampleCommand,
    examples=("reconciler rollback 11 --out back-to-11",),
)
@click.argument("serial", type=whole_number(1), metavar="SERIAL")
@click.option("--out", type=click.Path(path_type=Path), metavar="FOLDER", required=True,
              help="Write to this folder; never overwrite a file.")  # fmt: skip
@project_options(Uses.CONFIG | Uses.STATE | Uses.COLOR)
def command(project: Project, *, serial: int, out: Path) -> None:
    """Write the YAML of an earlier revision, to go back through git.

    Does not change the state: commit the files and apply them. A connector that was renamed since
    keeps its history. Secrets are not restored: references resolve to their current values.
    """
    from reconciler.app.export_yaml import write_revision
    from reconciler.render.exported import written_lines
    from reconciler.render.human.diagnostics import diagnostics
    from reconciler.render.human.plan import counts_line

    space = project.workspace()
    done = write_revision(space, out, serial)
    if done.warnings:
        click.echo(diagnostics(done.warnings, project.stderr_style()), err=True)
    click.echo("\n".join(written_lines(done.files, done.kept, done.notes)))
    style = project.stdout_style()
    click.echo(f"\nCompared with the current state: {style.strong(counts_line(done.counts))}")
    click.echo(
        f"Nothing was applied. To go back to revision {serial}:\n"
        f"  1. reconciler plan --config {out}   shows what would change; an apply from there is refused\n"
        f"  2. replace the files in {', '.join(map(str, space.project.roots))} with these, and commit them\n"
        "  3. reconciler apply, as for any other change"
    )
