"""``reconciler diff``."""

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
    "diff",
    cls=ExampleCommand,
    examples=(
        "reconciler diff 12",
        "reconciler diff 11 12 --format json",
        "reconciler diff 0 1",
    ),
)
@click.argument("first", type=click.IntRange(min=0), metavar="SERIAL")
@click.argument("second", type=click.IntRange(min=0), metavar="[SERIAL]", required=False)
@config_option
@state_option
@format_option("human", "json")
@color_option
def command(
    *,
    first: int,
    second: int | None,
    config: str,
    state: str | None,
    form: str,
    color: bool | None,
) -> None:
    """Show what differs between two revisions, or between one and what is stored now.

    0 is the empty state before the first revision. The other way round, with the newer one first,
    shows what going back would change. Secrets that were rotated are in `history show`.
    """
    from reconciler.app.history import between
    from reconciler.app.state import reading
    from reconciler.cli.terminal import stdout_style
    from reconciler.render.history import diff_text

    with reading(workspace(config, state=state)) as reader:
        last, changes = between(reader, first, second)
    click.echo(diff_text(first, last, changes, form, stdout_style(colour=color)))
