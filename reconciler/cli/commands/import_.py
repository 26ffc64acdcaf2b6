"""``reconciler import``."""

from __future__ import annotations

from pathlib import Path

import click

from reconciler.cli.command import ExampleCommand
from reconciler.cli.project import Project, Uses, project_options


@click.command(
    "import",
    cls=ExampleCommand,
    examples=(
        "reconciler import",
        "reconciler import --state postgresql://db.example.com/mail --out from-the-state",
    ),
)
@click.option("--out", type=click.Path(path_type=Path), metavar="FOLDER",
              help="Write to this folder. [default: the folder of --config]")  # fmt: skip
@project_options(Uses.CONFIG | Uses.STATE | Uses.COLOR)
def command(project: Project, *, out: Path | None) -> None:
    """Write the stored state as YAML, with references instead of secrets.

    Writes nothing unless the files are valid and their plan is empty. Never overwrites a file.
    """
    from reconciler.app.export_yaml import only_folder, write_stored
    from reconciler.render.exported import written_lines
    from reconciler.render.human.diagnostics import diagnostics
    from reconciler.render.human.plan import counts_line

    space = project.workspace()
    folder = out or only_folder(space.project.roots)
    done = write_stored(space, folder)
    if done.warnings:
        click.echo(diagnostics(done.warnings, project.stderr_style()), err=True)
    click.echo("\n".join(written_lines(done.files, done.kept, done.notes)))
    style = project.stdout_style()
    click.echo(f"\n{style.strong(counts_line(done.counts))}")
    click.echo("Put the files into git, and continue with: reconciler validate")
