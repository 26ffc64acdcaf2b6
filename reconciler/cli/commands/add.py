"""``reconciler add``."""

from __future__ import annotations

import click

from reconciler.cli.command import ExampleCommand
from reconciler.cli.exit_codes import ExitCode
from reconciler.cli.new_connector import (
    ConnectorChoices,
    address_of,
    connector_options,
    show_lookup,
    show_notes,
)
from reconciler.cli.project import Project, Uses, project_options


@click.command(
    "add",
    cls=ExampleCommand,
    examples=(
        "reconciler add support@example.com",
        "reconciler add support@example.com --no-discover --imap mail.example.com --smtp mail.example.com:587",
        "reconciler add --from .env",
        "reconciler add payroll@example.com --provider microsoft365 --dry-run",
    ),
)
@click.argument("address", required=False)
@click.option("--dry-run", is_flag=True, help="Print the file, and write nothing.")
@connector_options
@project_options(Uses.CONFIG | Uses.NETWORK | Uses.COLOR)
def command(
    project: Project, *, choices: ConnectorChoices, address: str | None, dry_run: bool
) -> ExitCode:
    """Add the connector of a mailbox: find its settings, and write a file that validates.

    Asks, in this order, the known providers by domain, the mail exchangers (MX), the autoconfig file of the domain over HTTPS,
    its SRV records, and tries the usual host names. No credentials are sent anywhere, and the file only refers to the password.
    Never overwrites a file.
    """
    from reconciler.app.add import Surroundings, prepare, write

    around = Surroundings.of(project.workspace(), choices.network(project))
    options = choices.options(address_of(address, choices))
    file = prepare(options, around, choices.questions(), show_lookup)
    if dry_run:
        click.echo(file.written.text, nl=False)
        return ExitCode.OK
    write(file)
    click.echo(f"Wrote {file.path}")
    show_notes(file, project)
    click.echo(f"\nNext: reconciler validate, then reconciler test {file.name}")
    return ExitCode.OK
