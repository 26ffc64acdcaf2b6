"""The port behind the store: a database that holds a state, whichever it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from datetime import datetime

    from sqlalchemy import Connection

    from reconciler.state.location import Location


class Database(Protocol):
    """Opens transactions. Every failure inside one comes out as a StateError."""

    @property
    def location(self) -> Location:
        """Where it is, for messages."""
        ...

    def view(self) -> AbstractContextManager[Connection | None]:
        """One consistent view to read from; None, and nothing is created, where there is no state."""
        ...

    def transaction(self) -> AbstractContextManager[Connection]:
        """One transaction to write in, alone with the state; creates the state if there is none."""
        ...

    def addition(self) -> AbstractContextManager[Connection]:
        """One transaction to add to the audit in, on a connection that stays open until ``close``.

        It must take less time than handing over a mail. What is added survives the process at once, and a
        failure of the whole machine only some moments later. Raises StateUnavailable if there is no state.
        """
        ...

    def migrate(self) -> bool:
        """Bring an older state to this release's schema; False if there is none, or it has it already.

        Nothing else migrates: a view and a transaction refuse an older state.
        """
        ...

    def now(self, connection: Connection) -> datetime:
        """The time by which leases expire, in UTC."""
        ...

    def close(self) -> None:
        """Let go of connections and files."""
        ...
