"""``-C``: another working folder for the rest of a command."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pathlib import Path

_IS_NAMED = f"{__name__}.is_named"


def go_to(context: click.Context, parameter: click.Parameter, value: Path | None) -> bool:
    """Change the working folder for the rest of the command; returns whether an option named one.

    ``-C`` stands before the command or after it.
    """
    if value is not None:
        before = os.getcwd()  # noqa: PTH109 - nothing else here needs pathlib
        try:
            os.chdir(value)
        except OSError as error:
            from reconciler.disk_fault import disk_fault  # noqa: PLC0415 - only where there is an error

            message = f"{value}: {disk_fault(error, value).reason}"
            raise click.BadParameter(message, context, parameter) from None
        context.call_on_close(partial(os.chdir, before))
        context.meta[_IS_NAMED] = True
    return bool(context.meta.get(_IS_NAMED))
