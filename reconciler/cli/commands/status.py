"""``reconciler status``."""

from __future__ import annotations

import click

from reconciler.cli import completion
from reconciler.cli.command import ExampleCommand
from reconciler.cli.options import format_option
from reconciler.cli.project import Project, Uses, project_options
from reconciler.cli.reports import Report, report_option
from reconciler.render.formats import StatusReportFormat, TextOrJson


@click.command(
    "status",
    cls=ExampleCommand,
    examples=(
        "reconciler status",
        "reconciler status 'support*' --label team=hr",
        "reconciler status --only failing --format json",
        "reconciler status --report html=status.html",
    ),
)
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=completion.connectors)
@format_option(TextOrJson)
@click.option("-l", "--label", "labels", multiple=True, metavar="LABEL",
              shell_complete=completion.labels,
              help="Only connectors with this label; if repeated, with all of the labels.")  # fmt: skip
@click.option("--only", type=click.Choice(("ready", "failing", "incomplete", "untested")),
              help="Only connectors in this status.")  # fmt: skip
@report_option(StatusReportFormat)
@project_options(Uses.CONFIG | Uses.STATE | Uses.COLOR)
def command(
    project: Project,
    *,
    names: tuple[str, ...],
    output_format: TextOrJson,
    labels: tuple[str, ...],
    only: str | None,
    reports: tuple[Report[StatusReportFormat], ...],
) -> None:
    """List the stored connectors, their status, and who changed them last.

    NAME is a connector or a shell pattern. Exits with 0 whatever the status; to make a job fail,
    run `reconciler test`.
    """
    from reconciler.app.selection import Selection, list_stored
    from reconciler.render.status import (
        nothing_listed,
        status_document,
        status_report,
        status_text,
    )

    stored = project.workspace().stored()
    chosen = list_stored(stored, Selection(names=names, labels=labels), only)
    document = status_document(stored, chosen)
    for report in reports:
        report.write(status_report(document, report.output_format))
    nothing = nothing_listed(stored, names, labels, only)
    click.echo(status_text(document, output_format, project.stdout_style(), nothing))
