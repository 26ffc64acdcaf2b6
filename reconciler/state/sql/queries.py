"""What a store asks a database through SQLAlchemy: what no apply, rollback or diff needs."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from reconciler.errors import CommitUnknown, StateCorrupt
from reconciler.state.decoding import UNREADABLE
from reconciler.state.effects import nothing_to_export
from reconciler.state.sql import auditing, checking, export, reading, routing_keys, sending
from reconciler.state.sql.faults import LOOK, BrokenOff

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from sqlalchemy import Connection

    from reconciler.model.address import Address
    from reconciler.model.sending import SendingFilter, SendingRecord
    from reconciler.model.sign_in_attempt import AttemptFilter, SignInAttempt
    from reconciler.routing.excerpt import RoutingExcerpt
    from reconciler.routing.keys import RoutingNeeds
    from reconciler.state.base import HistoryEntry
    from reconciler.state.exported import WholeState
    from reconciler.state.sql.database import Database


class SqlQueries:
    """Asks one database; each method is one view or one transaction. See :class:`reconciler.state.base.StateStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def _view(self) -> Iterator[Connection | None]:
        """One view; an unreadable value in it is named by table, row and column."""
        with self._database.sql_view() as view:
            try:
                yield view
            except (StateCorrupt, *UNREADABLE) as error:
                if view is None:
                    raise
                raise checking.explain(view, error) from None

    def explained(self, error: Exception) -> Exception:
        """Locate the value that could not be read; return the error itself if every value is valid."""
        with self._database.sql_view() as view:
            return checking.explain(view, error) if view is not None else error

    def problems(self) -> tuple[str, ...]:
        """Read everything, and return its problems."""
        with self._database.sql_view() as view:
            return tuple(checking.problems(view)) if view is not None else ()

    def broken_links(self) -> tuple[int, ...]:
        """The revisions that do not match their digest in the chain."""
        with self._view() as view:
            return checking.broken_links(view) if view is not None else ()

    def routing(self, needs: RoutingNeeds) -> RoutingExcerpt | None:
        """Read what the routing of one mail needs."""
        with self._view() as view:
            return routing_keys.excerpt(view, needs) if view is not None else None

    def changes_of(self, serial: int) -> tuple[HistoryEntry, ...]:
        """What one revision did."""
        with self._view() as view:
            return reading.changes_of(view, serial) if view is not None else ()

    def history(self, address: Address, limit: int) -> tuple[HistoryEntry, ...]:
        """The history of one resource."""
        with self._view() as view:
            return reading.history(view, address, limit) if view is not None else ()

    @contextmanager
    def export(self) -> Iterator[WholeState]:
        """Everything except the lock."""
        with self._view() as view:
            if view is None:
                raise nothing_to_export()
            yield export.StoredWhole(view)

    @contextmanager
    def salvage(self) -> Iterator[WholeState]:
        """Everything that can still be read, and what cannot."""
        from reconciler.state.sql.salvage import Salvage  # noqa: PLC0415 - one command needs it

        with self._database.rescue() as view:
            if view is None:
                raise nothing_to_export()
            yield Salvage(view).export()

    def restore(self, whole: WholeState, token: str) -> None:
        """Fill an empty state."""
        begun = False
        try:
            with self._database.sql_transaction() as transaction:
                begun = True
                export.restore(transaction, self._database.rows(transaction), whole, token)
        except BrokenOff as error:
            if not begun:
                raise
            raise CommitUnknown(error.message, hint=LOOK) from None

    @contextmanager
    def attempts(self, chosen: AttemptFilter, limit: int) -> Iterator[Iterator[SignInAttempt]]:
        """The newest attempts to sign in."""
        with self._view() as view:
            yield auditing.attempts(view, chosen, limit) if view is not None else iter(())

    def forget_attempts(self, before: datetime) -> int:
        """Remove old attempts to sign in."""
        with self._database.sql_transaction() as transaction:
            return auditing.forget_attempts(transaction, before)

    @contextmanager
    def sent(self, matching: SendingFilter, limit: int) -> Iterator[Iterator[SendingRecord]]:
        """The newest attempts to send."""
        with self._view() as view:
            yield reading.sent(view, matching, limit) if view is not None else iter(())

    def record_sent(self, record: SendingRecord) -> None:
        """Add one attempt to send."""
        with self._database.addition() as transaction:
            sending.record(transaction, record)

    def forget_sent(self, before: datetime) -> int:
        """Remove old attempts to send."""
        with self._database.sql_transaction() as transaction:
            return sending.forget(transaction, before)
