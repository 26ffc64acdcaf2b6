"""``reconciler fmt``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.command import ExampleCommand
from reconciler.cli.exit_codes import ExitCode
from reconciler.cli.project import Project, Uses, project_options

if TYPE_CHECKING:
    from reconciler.config.formatting import Left
    from reconciler.diagnostics import Diagnostic


@click.command(
    "fmt",
    cls=ExampleCommand,
    examples=(
        "reconciler fmt",
        "reconciler fmt --check",
        "reconciler fmt --diff",
        "reconciler fmt - < support.yaml",
    ),
)
@click.argument("paths", nargs=-1, metavar="[PATH|-]...",
                type=click.Path(exists=True, allow_dash=True, path_type=Path))  # fmt: skip
@click.option("--check", is_flag=True,
              help="Write nothing, and exit with 1 if a file would change.")  # fmt: skip
@click.option("--diff", is_flag=True,
              help="Write nothing, and show what would change.")  # fmt: skip
@project_options(Uses.CONFIG | Uses.COLOR)
def command(project: Project, *, paths: tuple[Path, ...], check: bool, diff: bool) -> ExitCode:
    """Format the configuration files, and name those that change.

    Only white space changes: values, comments, quotes and the order of fields stay. Without PATH,
    formats all of connectors.d/ and reconciler.yaml. With -, formats standard input to standard
    output.
    """
    from reconciler.app.fmt import STANDARD_INPUT, format_files, format_text
    from reconciler.render.human.diagnostics import diagnostics
    from reconciler.render.human.layout_diff import layout_diff

    if any(str(path) == "-" for path in paths):
        if len(paths) > 1 or check or diff:
            raise click.UsageError("- cannot be combined with other paths, --check or --diff.")
        new = format_text(sys.stdin.buffer.read())
        click.echo(new.text, nl=False)
        _tell_left(STANDARD_INPUT, new.left)
        return ExitCode.OK
    changed = False
    problems: list[Diagnostic] = []
    for item in format_files(project.workspace(), paths, write=not (check or diff)):
        changed = changed or item.changed
        problems += item.diagnostics
        if item.changed:
            text = str(item.path)
            if diff:
                text = layout_diff(item.path, item.before, item.after, project.stdout_style())
            click.echo(text)
        _tell_left(str(item.path), item.left)
    if problems:
        click.echo(diagnostics(tuple(problems), project.stderr_style()), err=True)
        return ExitCode.CONFIGURATION_INVALID
    return ExitCode.FAILED if check and changed else ExitCode.OK


def _tell_left(file: str, left: tuple[Left, ...]) -> None:
    for item in left:
        click.echo(f"{file}:{item.line}: left this document unchanged: {item.reason}.", err=True)
