"""``reconciler history``."""

from __future__ import annotations

import click

from reconciler.cli.command import CommandWithSubcommands, ExampleCommand
from reconciler.cli.options import format_option
from reconciler.cli.project import Project, Uses, project_options
from reconciler.render.formats import TextOrJson


@click.group(
    "history",
    cls=CommandWithSubcommands,
    examples=(
        "reconciler history",
        "reconciler history support --limit 5",
        "reconciler history show 12",
    ),
)
@click.argument("address", required=False)
@format_option(TextOrJson)
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, metavar="N",
              help="List at most N entries.")  # fmt: skip
@project_options(Uses.CONFIG | Uses.STATE | Uses.COLOR)
def command(
    project: Project, *, address: str | None, output_format: TextOrJson, limit: int
) -> None:
    """Show who applied what, when, and from which git commit, newest first.

    With ADDRESS, such as EmailConnector.support, show the history of that resource, including its former
    names. A bare name is the name of a connector.
    """
    from reconciler.app.history import entries_of
    from reconciler.app.state import parse_address
    from reconciler.render.history import entries_text, revisions_text

    style = project.stdout_style()
    found = parse_address(address) if address is not None else None
    with project.workspace().reading() as reader:
        if found is not None:
            text = entries_text(*entries_of(reader, found, limit), output_format, style)
        else:
            text = revisions_text(reader.revisions(limit=limit), output_format, style)
    click.echo(text)


@command.command(
    "show",
    cls=ExampleCommand,
    examples=("reconciler history show 12", "reconciler history show 12 --format json"),
)
@click.argument("serial", type=click.IntRange(min=1))
@format_option(TextOrJson)
@project_options(Uses.CONFIG | Uses.STATE | Uses.COLOR)
def show(project: Project, *, serial: int, output_format: TextOrJson) -> None:
    """Show every change of one revision, field by field."""
    from reconciler.app.history import changes_of, revision
    from reconciler.render.history import revision_text

    with project.workspace().reading() as reader:
        found = revision(reader, serial)
        changes = changes_of(reader, serial)
    click.echo(revision_text(found, changes, output_format, project.stdout_style()))
