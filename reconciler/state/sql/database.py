"""The port behind the store: any database that holds a state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection

    from reconciler.state.location import Location
    from reconciler.state.sql.damaged_rows import RowSource
    from reconciler.state.sql.rows import Rows


class Database(Protocol):
    """Opens transactions. Raises every failure inside one as a StateError."""

    @property
    def location(self) -> Location:
        """Where it is, for messages."""
        ...

    def view(self) -> AbstractContextManager[Rows | None]:
        """One consistent view to read from, or None if there is no state. Creates nothing."""
        ...

    def sql_view(self) -> AbstractContextManager[Connection | None]:
        """The same through SQLAlchemy, for what is asked more rarely than the newest revision."""
        ...

    def rescue(self) -> AbstractContextManager[RowSource | None]:
        """The rows of a state that may be damaged, or None if there is no state."""
        ...

    def transaction(self) -> AbstractContextManager[Rows]:
        """One exclusive transaction to write in; creates the state if there is none."""
        ...

    def sql_transaction(self) -> AbstractContextManager[Connection]:
        """The same through SQLAlchemy."""
        ...

    def rows(self, connection: Connection) -> Rows:
        """The rows in a transaction of :meth:`sql_transaction`."""
        ...

    def addition(self) -> AbstractContextManager[Connection]:
        """One transaction for additions to the audit, on a connection that stays open until ``close``.

        It must be faster than handing over a mail. Additions survive the end of the process at once,
        and a crash of the machine moments later. Raises StateUnavailable if there is no state.
        """
        ...

    def migrate(self) -> bool:
        """Migrate an older state to this release's schema; False if there is none, or it is current.

        Nothing else migrates: views and transactions refuse an older state.
        """
        ...

    def give_space_back(self) -> None:
        """Give free space in the database back to the system, without keeping writers waiting for long."""
        ...

    def close(self) -> None:
        """Close connections and files."""
        ...
