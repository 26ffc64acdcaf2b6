"""``reconciler fmt``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.command import ExampleCommand
from reconciler.cli.exit_codes import ExitCode
from reconciler.cli.project import Project, Uses, project_options
from reconciler.cli.reports import Report, report_option, writing
from reconciler.render.formats import FileReport

if TYPE_CHECKING:
    from reconciler.app.fmt import Layout
    from reconciler.config.formatting import Left
    from reconciler.errors import ReconcilerError
    from reconciler.render.fmt import FmtDocument


@click.command(
    "fmt",
    cls=ExampleCommand,
    examples=(
        "reconciler fmt",
        "reconciler fmt --check",
        "reconciler fmt --diff",
        "reconciler fmt --check --report gitlab=layout.json",
        "reconciler fmt - < support.yaml",
    ),
)
@click.argument("paths", nargs=-1, metavar="[PATH|-]...",
                type=click.Path(exists=True, allow_dash=True, path_type=Path))  # fmt: skip
@click.option("--check", is_flag=True,
              help="Write nothing, and exit with 1 if a file would change.")  # fmt: skip
@click.option("--diff", is_flag=True,
              help="Write nothing, and show what would change.")  # fmt: skip
@report_option(FileReport)
@project_options(Uses.CONFIG | Uses.COLOR)
def command(
    project: Project,
    *,
    paths: tuple[Path, ...],
    check: bool,
    diff: bool,
    reports: tuple[Report[FileReport], ...],
) -> ExitCode:
    """Format the configuration files, and name those that change.

    Only white space changes: values, comments, quotes and the order of fields stay. Without PATH,
    formats all of connectors.d/ and reconciler.yaml. With -, formats standard input to standard
    output.
    """
    from reconciler.app.fmt import STANDARD_INPUT, format_files, format_text
    from reconciler.app.repository import source_root
    from reconciler.render.fmt import fmt_report
    from reconciler.render.human.diagnostics import diagnostics
    from reconciler.render.human.layout_diff import layout_diff

    if any(str(path) == "-" for path in paths):
        if len(paths) > 1 or check or diff or reports:
            raise click.UsageError(
                "- cannot be combined with other paths, --check, --diff or --report."
            )
        new = format_text(sys.stdin.buffer.read())
        click.echo(new.text, nl=False)
        _tell_left(STANDARD_INPUT, new.left)
        return ExitCode.OK
    found: list[Layout] = []
    write = not (check or diff)
    root = source_root()

    def report(output_format: FileReport, problem: ReconcilerError | None) -> str:
        return fmt_report(_document(found, problem, write=write), output_format, root)

    with writing(reports, report):
        for item in format_files(project.workspace(), paths, write=write):
            found.append(item)
            if item.changed:
                text = str(item.path)
                if diff:
                    text = layout_diff(item.path, item.before, item.after, project.stdout_style())
                click.echo(text)
            _tell_left(str(item.path), item.left)
    problems = tuple(one for item in found for one in item.diagnostics)
    if problems:
        click.echo(diagnostics(problems, project.stderr_style()), err=True)
        return ExitCode.CONFIGURATION_INVALID
    return ExitCode.FAILED if check and any(item.changed for item in found) else ExitCode.OK


def _document(found: list[Layout], problem: ReconcilerError | None, *, write: bool) -> FmtDocument:
    from reconciler.render.fmt import (
        FmtDocument,
        LaidOutFile,
        first_difference,
        left_unchanged,
        would_change,
    )

    files = tuple(
        LaidOutFile(
            path=str(item.path),
            changed=item.changed,
            line=first_difference(item.before, item.after),
        )
        for item in found
    )
    layout = [would_change(item.path, item.line) for item in files if item.changed and not write]
    left = [
        left_unchanged(str(item.path), part.line, part.reason)
        for item in found
        for part in item.left
    ]
    unreadable = [one for item in found for one in item.diagnostics]
    return FmtDocument(
        error=problem.message if problem else None,
        written=write,
        files=files,
        diagnostics=tuple(
            sorted(
                [*layout, *left, *unreadable], key=lambda item: (item.file, item.line, item.column)
            )
        ),
    )


def _tell_left(file: str, left: tuple[Left, ...]) -> None:
    for item in left:
        click.echo(f"{file}:{item.line}: left this document unchanged: {item.reason}.", err=True)
