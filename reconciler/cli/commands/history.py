"""``reconciler history``."""

from __future__ import annotations

import click

from reconciler.cli.command import ExampleCommand
from reconciler.cli.options import (
    color_option,
    config_option,
    format_option,
    state_option,
    workspace,
)


@click.command(
    "history",
    cls=ExampleCommand,
    examples=(
        "reconciler history",
        "reconciler history support",
        "reconciler history --serial 12 --format json",
    ),
)
@click.argument("address", required=False)
@config_option
@state_option
@format_option("human", "json")
@click.option("--serial", type=click.IntRange(min=1), metavar="N",
              help="Show what this one revision did.")  # fmt: skip
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, metavar="N",
              help="Show at most so many.")  # fmt: skip
@color_option
def command(
    *,
    address: str | None,
    config: str,
    state: str | None,
    form: str,
    serial: int | None,
    limit: int,
    color: bool | None,
) -> None:
    """Show who applied what and when, newest first.

    With ADDRESS, show what happened to that resource, under its former names too.
    """
    from reconciler.app.stored import parse_address, reading, revision_changes
    from reconciler.cli.console import stdout_style
    from reconciler.render.stored import entries_text, revisions_text

    if address is not None and serial is not None:
        raise click.UsageError("ADDRESS and --serial ask for different things; give one of them.")
    style = stdout_style(colour=color)
    with reading(workspace(config, state=state)) as reader:
        if serial is not None:
            text = entries_text(revision_changes(reader, serial), form, style)
        elif address is not None:
            text = entries_text(reader.history(parse_address(address), limit=limit), form, style)
        else:
            text = revisions_text(reader.revisions(limit=limit), form, style)
    click.echo(text)
