"""The terminal: its abilities, and output to it."""

from __future__ import annotations

import os
import select
import sys
from typing import TYPE_CHECKING, TextIO

import click
from msgspec import Struct

from reconciler.errors import PlanRefused
from reconciler.render.terminal import Style
from reconciler.signals import wakened
from reconciler.wording import shortened

if TYPE_CHECKING:
    from reconciler.plan.credentials import NewCredentialUse

_LOG_WIDTH = 120
"""Columns without a terminal: logs of CI systems wrap later than terminals do."""


def stdout_style(*, colour: bool | None = None) -> Style:
    """The style of standard output."""
    return _style(sys.stdout, colour)


def stderr_style(*, colour: bool | None = None) -> Style:
    """The style of standard error."""
    return _style(sys.stderr, colour)


def is_interactive() -> bool:
    """Whether a person can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def need_terminal() -> None:
    """Raise a usage error if there is nobody to ask."""
    if not is_interactive():
        raise click.UsageError("There is no terminal to ask for confirmation; confirm with --yes.")


def _style(stream: TextIO, colour: bool | None) -> Style:  # noqa: FBT001 - private
    terminal = stream.isatty()
    if colour is None:
        colour = terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return Style(colour, max(_width(), 40) if terminal else _LOG_WIDTH)


def _width() -> int:
    import shutil  # noqa: PLC0415 - only on a terminal

    return shutil.get_terminal_size((_LOG_WIDTH, 24)).columns


def show_notes(notes: tuple[str, ...]) -> None:
    """Print notes about a plan on standard error."""
    shown, more = shortened(notes)
    for note in (*shown, *([more] if more else [])):
        click.echo(f"Note: {note}.", err=True)


def ask(question: str) -> str:
    """Ask on standard error and read one line, without its end.

    Raises click.Abort at the end of the input. A signal between the question and the read would not
    wake ``input()``, which would then wait with the lock held; so it reads only once there is input.
    """
    click.echo(f"{question}: ", nl=False, err=True)
    if sys.platform != "win32":
        with wakened() as waker:
            select.select([sys.stdin, waker], [], [])
    line = sys.stdin.readline()
    if not line:
        click.echo(err=True)
        raise click.Abort
    return line.rstrip("\r\n")


class TerminalApprover(Struct, frozen=True):
    """Asks for approval of the plan just shown, unless ``auto`` gives it."""

    auto: bool

    @property
    def is_person(self) -> bool:
        """Whether a person is asked."""
        return not self.auto and is_interactive()

    def approve_credentials(self, uses: tuple[NewCredentialUse, ...]) -> bool:
        """Show where secrets would go for the first time, and ask; False if there is nobody to ask."""
        if not is_interactive():
            return False
        from reconciler.render.human.impact import credential_uses  # noqa: PLC0415 - rarely needed

        click.echo(credential_uses(uses, stderr_style()), err=True)
        return ask("Send them there for this test? Only 'yes' will be accepted").strip() == "yes"

    def approve(self) -> bool:
        """Get an answer; raises PlanRefused if there is nobody to ask."""
        if self.auto:
            return True
        if not is_interactive():
            raise PlanRefused(
                "the plan needs approval, but there is no terminal to ask for it",
                hint="Approve it beforehand with --auto-approve, or apply a saved plan.",
            )
        answer = ask("Do you want to apply this? Only 'yes' will be accepted")
        return answer.strip() == "yes"
