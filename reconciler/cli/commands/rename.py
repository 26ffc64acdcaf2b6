"""``reconciler rename``."""

from __future__ import annotations

import click

from reconciler.cli import completion
from reconciler.cli.command import ExampleCommand
from reconciler.cli.project import Project, Uses, project_options


@click.command(
    "rename",
    cls=ExampleCommand,
    examples=(
        "reconciler rename helpdesk support",
        "reconciler rename Group.staff everybody --dry-run",
    ),
)
@click.argument("old", metavar="OLD", shell_complete=completion.addresses)
@click.argument("new", metavar="NEW")
@click.option("--dry-run", is_flag=True,
              help="Write nothing, and show what would change.")  # fmt: skip
@project_options(Uses.CONFIG | Uses.COLOR)
def command(project: Project, *, old: str, new: str, dry_run: bool) -> None:
    """Rename a connector, group, provider or application in every file.

    OLD is the name of a connector, or an address such as Group.staff. Changes only the names: comments,
    quotes and layout stay. A connector also gets `renamed_from`, so that its history, permissions and
    fingerprints carry over with the next apply. Changes all files, or none.
    """
    from reconciler.app.rename import prepare_rename, write_rename
    from reconciler.model.address import Kind
    from reconciler.render.human.layout_diff import layout_diff
    from reconciler.wording import counted

    renaming = prepare_rename(project.workspace(), old, new)
    if not dry_run:
        write_rename(renaming)
    style = project.stdout_style()
    for item in renaming.files:
        if dry_run:
            click.echo(layout_diff(item.path, item.before, item.after, style))
        else:
            click.echo(f"{item.path}: {counted(item.places, 'place')}")
    verb = "Would rename" if dry_run else "Renamed"
    click.echo(
        f"\n{verb} {renaming.address} to {renaming.new}: {counted(renaming.places, 'place')}"
        f" in {counted(len(renaming.files), 'file')}."
    )
    if renaming.address.kind is Kind.APPLICATION:
        click.echo("The application must sign in by its new name after the next apply.")
