"""``reconciler show``."""

from __future__ import annotations

from pathlib import Path

import click

from reconciler.cli import completion
from reconciler.cli.command import ExampleCommand
from reconciler.cli.options import format_option
from reconciler.cli.project import Project, Uses, project_options
from reconciler.render.formats import TextOrJson


@click.command(
    "show",
    cls=ExampleCommand,
    examples=(
        "reconciler show support",
        "reconciler show GlobalSmtpPolicy",
        "reconciler show Permissions.payroll --format json",
        "reconciler show berlin --sources",
        "reconciler show plan.json",
    ),
)
@click.argument("what", metavar="ADDRESS|FILE", shell_complete=completion.addresses)
@click.option("--sources", is_flag=True,
              help="Also show where each value comes from: a template, a table, a provider.")  # fmt: skip
@format_option(TextOrJson)
@project_options(Uses.CONFIG | Uses.STATE | Uses.COLOR)
def command(project: Project, *, what: str, sources: bool, output_format: TextOrJson) -> None:
    """Show one stored resource, or a saved plan.

    Name a resource by its address, such as EmailConnector.support; a bare name means a connector.
    """
    from reconciler.app.saved_plan import is_plan_file, read_plan_file

    style = project.stdout_style()
    if "/" in what or what.endswith(".json") or is_plan_file(Path(what)):
        from reconciler.render.saved_plan import plan_file_text

        click.echo(plan_file_text(read_plan_file(Path(what)), output_format, style))
        return
    from reconciler.app.state import find, parse_address
    from reconciler.render.stored import resource_text

    address = parse_address(what)
    workspace = project.workspace()
    stored = find(workspace.stored(), address)
    written = None
    if sources:
        from reconciler.app.show import source_of_stored

        written = source_of_stored(workspace, stored)
    click.echo(resource_text(stored, output_format, style, written=written))
