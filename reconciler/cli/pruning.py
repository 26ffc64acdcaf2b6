"""``--prune`` of an audit: older entries are deleted once somebody has confirmed it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reconciler.cli.exit_codes import ExitCode
from reconciler.cli.terminal import need_terminal, show_notes
from reconciler.render.terminal import minute

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from reconciler.app.audit import Pruned


def confirm_and_prune(
    prune: Callable[[], Pruned],
    before: datetime,
    what: str,
    told: Callable[[int], str],
    *,
    yes: bool,
) -> ExitCode:
    """Ask unless ``yes``, delete, and print how many entries were deleted.

    ``what`` names them in the question, ``told`` formats the number.
    """
    if not yes:
        need_terminal()
        question = f"Delete all {what} from before {minute(before)} UTC?"
        if not click.confirm(question, err=True):
            click.echo("Nothing was changed.")
            return ExitCode.REFUSED
    done = prune()
    click.echo(f"Deleted {told(done.count)}.")
    if done.not_freed:
        show_notes((f"their space was not freed: {done.not_freed}",))
    return ExitCode.OK
