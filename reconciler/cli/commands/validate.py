"""``reconciler validate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, assert_never

import click

from reconciler.cli.command import ExampleCommand
from reconciler.cli.exit_codes import ExitCode
from reconciler.cli.options import format_option
from reconciler.cli.project import Project, Uses, project_options
from reconciler.cli.reports import Report, report_option, writing
from reconciler.render.formats import FileReport, OutputFormat, ValidationFormat

if TYPE_CHECKING:
    from reconciler.config.load import Loaded
    from reconciler.errors import ReconcilerError


@click.command(
    "validate",
    cls=ExampleCommand,
    examples=(
        "reconciler validate",
        "reconciler validate connectors.d/support.yaml",
        "reconciler validate --config mail/ --format json",
        "reconciler validate --report sarif=reconciler.sarif --report junit=validate.xml",
    ),
)
@click.argument("files", nargs=-1, metavar="[FILE]...",
                type=click.Path(exists=True, path_type=Path))  # fmt: skip
@click.option("-f", "--file", "more_files", multiple=True, metavar="FILE",
              type=click.Path(exists=True, path_type=Path), help="The same as FILE. Repeatable.")  # fmt: skip
@format_option(ValidationFormat)
@click.option("--warnings-as-errors", is_flag=True, help="Fail on warnings too.")
@report_option(FileReport)
@project_options(Uses.CONFIG | Uses.COLOR)
def command(
    project: Project,
    *,
    files: tuple[Path, ...],
    more_files: tuple[Path, ...],
    output_format: ValidationFormat,
    warnings_as_errors: bool,
    reports: tuple[Report[FileReport], ...],
) -> ExitCode:
    """Check the configuration, and report every problem with its file, line and column.

    With FILE, reports only the problems of these files and folders, for a hook or an editor; the
    rest of the configuration is still read, since documents refer to each other.
    Needs no secret, no state and no network.
    """
    from reconciler.app.repository import source_root
    from reconciler.app.validate import validate
    from reconciler.cli.streams import echo_commands
    from reconciler.render.validation import Validation, validation, validation_report

    places = (*files, *more_files)
    root = source_root()
    loaded: Loaded | None = None

    def report(output_format: FileReport, problem: ReconcilerError | None) -> str:
        outcome = Validation(
            loaded=loaded,
            error=problem.message if problem else None,
            strict=warnings_as_errors,
            places=len(places),
        )
        return validation_report(outcome, output_format, root)

    with writing(reports, report):
        loaded = validate(project.workspace(), places)
    text = validation(loaded, output_format, project.stdout_style(), root, places=len(places))
    match output_format:
        case OutputFormat.HUMAN | OutputFormat.JSON:
            click.echo(text)
        case OutputFormat.GITHUB:
            echo_commands(text)
        case _:
            assert_never(output_format)
    bad = any(item.is_error or warnings_as_errors for item in loaded.diagnostics)
    return ExitCode.CONFIGURATION_INVALID if bad else ExitCode.OK
