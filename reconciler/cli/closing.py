"""The last line of a command that writes a revision: whether it has, on every way out."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from reconciler.errors import ReconcilerError
from reconciler.state.write_outcome import WriteOutcome

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME = "write_outcome"


@contextmanager
def closing_line(outcome: WriteOutcome) -> Iterator[None]:
    """Let whatever ends the block early say, when it is shown, what became of the revision."""
    try:
        try:
            yield
        except BrokenPipeError:  # of which click makes an exit without a word
            raise ReconcilerError("nobody reads standard output any more") from None
    except BaseException as error:
        setattr(error, _NAME, outcome)
        raise


def write_outcome(error: BaseException) -> WriteOutcome | None:
    """What the error, or the one that click made it from, says of a revision; None if it says nothing."""
    for item in (error, error.__cause__):
        found = getattr(item, _NAME, None)
        if isinstance(found, WriteOutcome):
            return found
    return None
