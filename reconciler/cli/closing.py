"""The last line and the exit code of a command that a signal or an error ends early.

The outcome of its revision or mail is kept here, separate from the exception that ends it, since a
second signal replaces that exception.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.cli.exit_codes import ExitCode
from reconciler.errors import ReconcilerError
from reconciler.signals import end_at_once_with, settle_signals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.state.write_outcome import WriteOutcome


@dataclass(slots=True)
class MailOutcome:
    """What happened to the mail of a command, as exit codes.

    ``nothing`` and ``uncertain`` are for a mail that was not sent, and for one that may have been
    delivered, according to ``handed_over``. ``sent`` is set once the mail is sent.
    """

    nothing: int
    uncertain: int
    handed_over: Callable[[], bool]
    sent: int | None = None

    def interrupted(self) -> tuple[int, str]:
        """The exit code after a signal, and the message."""
        if self.sent is not None:
            return self.sent, ""
        if self.handed_over():
            return self.uncertain, _UNCERTAIN
        return self.nothing, "Interrupted: nothing was sent.\n"


_UNCERTAIN = """\
Error: interrupted while the mail was being transmitted: it may have been delivered
  Check whether it arrived before you send it again.
"""


class Closing:
    """The state of the running command.

    ``outcome`` is that of its revision and ``mail`` that of its mail; None for a command without one,
    and before it has begun. ``code`` is its exit code, once it has ended.
    """

    def __init__(self) -> None:
        self.outcome: WriteOutcome | None = None
        self.mail: MailOutcome | None = None
        self.code: int | None = None

    def interrupted(self, said: str = "") -> tuple[int, str]:
        """The exit code of a command that a signal has ended, and its message."""
        if self.code is not None:
            return self.code, ""
        if self.mail is not None:
            return self.mail.interrupted()
        outcome = self.outcome
        lines = f"Interrupted: {said}.\n" if said else "Interrupted.\n"
        if outcome is None:
            return ExitCode.INTERRUPTED, lines
        lines += f"{outcome.sentence}\n"
        if outcome.nothing:
            return ExitCode.INTERRUPTED, lines
        return (ExitCode.INTERRUPTED_AFTER_WRITE if outcome.known else ExitCode.FAILED), lines


closing = Closing()
"""That of this process."""


def begin_closing() -> None:
    """Reset the state of the previous command."""
    closing.outcome = closing.mail = closing.code = None
    end_at_once_with(closing.interrupted)


@contextmanager
def closing_line(outcome: WriteOutcome) -> Iterator[None]:
    """Say at the end whether the revision was written, if an exception ends the block."""
    closing.outcome = outcome
    try:
        yield
        settle_signals()  # the outcome was reported, and an interrupt would deny it
    except BrokenPipeError:  # which click turns into a silent exit
        raise ReconcilerError("nobody reads standard output any more") from None
