"""``reconciler diff``."""

from __future__ import annotations

import click

from reconciler.cli.arguments import whole_number
from reconciler.cli.command import ExampleCommand
from reconciler.cli.options import format_option
from reconciler.cli.project import Project, Uses, project_options
from reconciler.render.formats import TextOrJson


@click.command(
    "diff",
    cls=ExampleCommand,
    examples=(
        "reconciler diff 12",
        "reconciler diff 11 12 --format json",
        "reconciler diff 0 1",
    ),
)
@click.argument("first", type=whole_number(), metavar="SERIAL")
@click.argument("second", type=whole_number(), metavar="[SERIAL]", required=False)
@format_option(TextOrJson)
@project_options(Uses.CONFIG | Uses.STATE | Uses.COLOR)
def command(project: Project, *, first: int, second: int | None, output_format: TextOrJson) -> None:
    """Show what changed between two revisions, or since one.

    0 is the empty state before the first revision. With the newer revision first, shows what going
    back would change. For rotated secrets, see `history show`.
    """
    from reconciler.app.history import between
    from reconciler.render.history import diff_text

    with project.workspace().reading() as reader:
        last, changes = between(reader, first, second)
    click.echo(diff_text(first, last, changes, output_format, project.stdout_style()))
