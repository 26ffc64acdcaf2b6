"""The last line of a command that writes a revision: whether it did, on every way out."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from reconciler.errors import ReconcilerError
from reconciler.signals import hold_signals
from reconciler.state.write_outcome import WriteOutcome

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME = "write_outcome"


@contextmanager
def closing_line(outcome: WriteOutcome) -> Iterator[None]:
    """Attach the outcome of the revision to any exception that ends the block, for its message."""
    try:
        try:
            yield
            hold_signals()  # the outcome was told, and an interrupt would deny it
        except BrokenPipeError:  # which click turns into a silent exit
            raise ReconcilerError("nobody reads standard output any more") from None
    except BaseException as error:
        setattr(error, _NAME, outcome)
        raise


def write_outcome(error: BaseException) -> WriteOutcome | None:
    """The outcome of the revision attached to an error, or to the one that click made it from; or None."""
    for item in (error, error.__cause__):
        found = getattr(item, _NAME, None)
        if isinstance(found, WriteOutcome):
            return found
    return None
