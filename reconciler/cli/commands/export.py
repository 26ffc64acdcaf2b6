"""``reconciler export``."""

from __future__ import annotations

import click

from reconciler.cli import completion
from reconciler.cli.command import ExampleCommand
from reconciler.cli.exit_codes import ExitCode
from reconciler.cli.project import Project, Uses, project_options


@click.command("export", cls=ExampleCommand, examples=("reconciler export support",))
@click.argument("name", shell_complete=completion.connectors)
@project_options(Uses.CONFIG)
def command(project: Project, *, name: str) -> ExitCode:
    """Show a connector of the files in the words of the settings form, in the form's order.

    Instead of each password, shows where it is kept. Lists at the end what the form has no field for.
    """
    from reconciler.config.suggest import did_you_mean
    from reconciler.errors import UsageError
    from reconciler.render.export import form

    _, desired = project.workspace().load_valid()
    connector = desired.snapshot.connector(name)
    if connector is None:
        names = (item.name for item in desired.snapshot.connectors)
        raise UsageError(f"unknown connector {name!r}", hint=did_you_mean(name, names))
    click.echo(form(connector))
    return ExitCode.OK
