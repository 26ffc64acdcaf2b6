"""``reconciler doctor``."""

from __future__ import annotations

import click

from reconciler.cli import completion
from reconciler.cli.command import ExampleCommand
from reconciler.cli.exit_codes import ExitCode, exit_code_of_tests
from reconciler.cli.options import (
    check_server_text,
    format_option,
    server_text_option,
    timeout_option,
)
from reconciler.cli.project import Project, Uses, project_options
from reconciler.cli.reports import Report, report_option
from reconciler.render.formats import JsonReport, TextOrJson


@click.command(
    "doctor",
    cls=ExampleCommand,
    examples=("reconciler doctor support", "reconciler doctor support --format json"),
)
@click.argument("name", shell_complete=completion.connectors)
@format_option(TextOrJson)
@timeout_option
@server_text_option
@report_option(JsonReport)
@project_options(
    Uses.CONFIG | Uses.STATE | Uses.NETWORK | Uses.ACTOR | Uses.CREDENTIALS | Uses.COLOR
)
def command(
    project: Project,
    *,
    name: str,
    output_format: TextOrJson,
    timeout: float | None,
    show_server_text: bool,
    reports: tuple[Report[JsonReport], ...],
) -> ExitCode:
    """Examine one connector closely: its servers, what they offer, and the mailbox.

    Shows each stage of the test with its time, the certificates, the capabilities of the servers,
    the folders and which one is for sent mail, quota and size limit, and ends with a verdict. Sends
    nothing, records no status, and shows no secret. Exits with the codes of `reconciler test`.
    """
    from reconciler.app.doctor import examine_connector
    from reconciler.app.test import Tuning
    from reconciler.cli.terminal import TerminalApprover, show_notes
    from reconciler.render.doctor import doctor_document, doctor_text, server_texts

    check_server_text(output_format, shown=show_server_text)
    space = project.workspace()
    found = examine_connector(
        space,
        name,
        project.actor(),
        Tuning(timeout=timeout, show_server_text=show_server_text),
        overrides=project.overrides(),
        approver=TerminalApprover(auto=False),
    )
    document = doctor_document(found.connector, found.accounts, found.verdict, found.at)
    style = project.stdout_style()
    texts = server_texts(found.accounts)
    for report in reports:
        report.write(doctor_text(document, report.output_format, style))
    click.echo(doctor_text(document, output_format, style, texts))
    if found.problem:
        show_notes((found.problem,))
    return exit_code_of_tests((found.result,))
