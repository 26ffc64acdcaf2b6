"""Whether a command has written its revision, known however it ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from reconciler.errors import CommitUnknown, StateError
from reconciler.signals import deferred

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


@dataclass(slots=True)
class WriteOutcome:
    """The revision ``serial``, or None while nothing was written.

    ``known`` is false while it is

    being written, and stays false if the database cannot say whether it was.
    """

    serial: int | None = None
    known: bool = True

    def of(self, serial: int, write: Callable[[], T]) -> T:
        """Write the revision ``serial``; signals wait until the outcome is known."""
        with deferred():
            self.serial, self.known = serial, False
            try:
                written = write()
            except CommitUnknown:
                raise
            except StateError:
                self.serial, self.known = None, True
                raise
            self.known = True
            return written

    @property
    def nothing(self) -> bool:
        """Whether it is certain that nothing was written."""
        return self.known and self.serial is None

    @property
    def sentence(self) -> str:
        """The outcome, for the last line of a command."""
        if not self.known:
            return f"Revision {self.serial} may have been written; `reconciler history` shows it."
        return (
            "Nothing was written."
            if self.serial is None
            else f"Revision {self.serial} was written."
        )
