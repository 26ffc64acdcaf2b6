"""The store on a database: each method is one transaction."""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, assert_never

from reconciler.back_off import BackOff
from reconciler.errors import CommitUnknown, StateCorrupt, StateError, StateLocked
from reconciler.model.sending import EVERY_SENDING
from reconciler.model.sign_in_attempt import EVERY_ATTEMPT
from reconciler.model.snapshot import StoredState
from reconciler.state.base import PastState
from reconciler.state.decoding import NO_RESOURCES, UNREADABLE
from reconciler.state.folder import refuse_unsafe
from reconciler.state.location import PostgresqlLocation, SqliteLocation, locate
from reconciler.state.specs import Specifications
from reconciler.state.sql import audit_rows, key_rows, leases, past, writing
from reconciler.state.sql.faults import LOOK, BrokenOff
from reconciler.state.sql.locking import DatabaseLock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from datetime import datetime

    from reconciler.model.address import Address
    from reconciler.model.resource import Resource
    from reconciler.model.sending import SendingFilter, SendingRecord
    from reconciler.model.setting import Setting
    from reconciler.model.sign_in_attempt import AttemptFilter, SignInAttempt
    from reconciler.model.snapshot import LastTest
    from reconciler.routing.excerpt import RoutingExcerpt
    from reconciler.routing.keys import RoutingNeeds
    from reconciler.secrets.base import Secret
    from reconciler.state.base import (
        Commit,
        HistoryEntry,
        Lease,
        Revision,
        StateLock,
        StateStore,
    )
    from reconciler.state.effects import Fingerprints
    from reconciler.state.exported import WholeState
    from reconciler.state.sql.database import Database
    from reconciler.state.sql.queries import SqlQueries
    from reconciler.state.sql.rows import Rows


def open_store(
    url: str,
    *,
    read_only: bool = False,
    password: Callable[[], Secret] | None = None,
    clock: Callable[[], datetime] | None = None,
) -> StateStore:
    """Open the state at a URL; nothing is created or contacted before it is used.

    ``password`` fetches the password of a database whose URL has none, at the first connection. Leases
    expire by ``clock`` instead of the database's.

    Raises UsageError for a URL that cannot be read, and StateUnavailable if its driver is missing.
    """
    location = locate(url)
    match location:
        case SqliteLocation():
            from reconciler.state.sql.sqlite import SqliteDatabase  # noqa: PLC0415 - only one is used

            refuse_unsafe(location.path)
            return SqlStore(SqliteDatabase(location, read_only=read_only, clock=clock))
        case PostgresqlLocation():
            from reconciler.state.sql.postgresql import (  # noqa: PLC0415 - only one is used
                PostgresqlDatabase,
            )

            return SqlStore(
                PostgresqlDatabase(location, read_only=read_only, password=password, clock=clock)
            )
        case _:
            assert_never(location)


_WAITS = BackOff(first=0.25, longest=8.0, tries=7)
"""The waits before retrying a database that was reachable a moment ago."""


class SqlStore:
    """Implements :class:`reconciler.state.base.StateStore`. Safe to use from several threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = DatabaseLock(database, self._view)
        self._seen = False
        self._read: Mapping[str, Resource] = {}

    @contextmanager
    def _view(self) -> Iterator[Rows | None]:
        """One view; an unreadable value in it is named by table, row and column, which takes another view."""
        with self._database.view() as rows:
            try:
                yield rows
            except (StateCorrupt, *UNREADABLE) as error:
                if rows is None:
                    raise
                raise self._queries.explained(error) from None

    @cached_property
    def _queries(self) -> SqlQueries:
        """What is asked through SQLAlchemy: loading it takes 0.2 s, and an apply to a file needs none of it."""
        from reconciler.state.sql.queries import SqlQueries  # noqa: PLC0415 - see above

        return SqlQueries(self._database)

    def check(self) -> tuple[str, ...]:
        """Read everything, and return its problems, a sentence each."""
        return self._queries.problems()

    def broken_links(self) -> tuple[int, ...]:
        """The revisions that do not match their digest in the chain, oldest first."""
        return self._queries.broken_links()

    def load(
        self, like: Mapping[Address, Resource] = NO_RESOURCES, *, only_resources: bool = False
    ) -> StoredState:
        """Read the newest revision; raises StateCorrupt if a resource cannot be read back."""
        read = Specifications(self._read) if like else None
        with self._view() as rows:
            if rows is None:
                return StoredState()
            found = rows.load(like, read, only_resources=only_resources)
        self._read = read.found if read is not None else {}
        return found

    def routing(self, needs: RoutingNeeds) -> RoutingExcerpt | None:
        """Read what the routing of one mail needs; None if it cannot be found by keys."""
        return self._queries.routing(needs)

    def migrate(self) -> bool:
        """Migrate a state of an older release to this one; False if there was nothing to do."""
        if not self._database.migrate():
            return False
        with suppress(StateCorrupt), self._database.transaction() as rows:
            key_rows.rebuild(rows)
        return True

    def revisions(self, *, limit: int = 50, until: int | None = None) -> tuple[Revision, ...]:
        """The newest revisions up to and including ``until``, newest first."""
        with self._view() as rows:
            return past.revisions(rows, limit, until) if rows is not None else ()

    def changes_of(self, serial: int) -> tuple[HistoryEntry, ...]:
        """What one revision did, in order."""
        return self._queries.changes_of(serial)

    def past(self, serial: int, like: Mapping[Address, Resource] = NO_RESOURCES) -> PastState:
        """Everything as it was at that revision; raises StateCorrupt if it cannot be read back."""
        read = Specifications(self._read) if self._read else None
        with self._view() as rows:
            if rows is None:
                return PastState(serial, {})
            return past.past(rows, serial, like, read)

    def step(self, serial: int) -> tuple[PastState, PastState]:
        """Before and after one revision: only the resources that it touched."""
        with self._view() as rows:
            if rows is None:
                return PastState(serial - 1, {}), PastState(serial, {})
            return (
                past.past(rows, serial - 1, touched_by=serial),
                past.past(rows, serial, touched_by=serial),
            )

    def history(self, address: Address, *, limit: int = 50) -> tuple[HistoryEntry, ...]:
        """The history of the resource with an address or, failing that, of the one that last had it."""
        return self._queries.history(address, limit)

    def export(self) -> AbstractContextManager[WholeState]:
        """Everything except the lock; raises StateError if nothing was applied."""
        return self._queries.export()

    def salvage(self) -> AbstractContextManager[WholeState]:
        """Everything that can still be read, and what cannot."""
        return self._queries.salvage()

    def restore(self, export: WholeState, *, token: str) -> None:
        """Fill an empty state; raises StateError if it is not empty."""
        self._queries.restore(export, token)

    def lease(self) -> Lease | None:
        """The lease in force, if any."""
        with self._view() as rows:
            return None if rows is None else leases.in_force(rows)

    def lock(
        self,
        *,
        holder: str,
        operation: str,
        wait: timedelta = timedelta(),
        waiting: Callable[[Lease], None] | None = None,
    ) -> StateLock:
        """Take the lock; raises StateLocked."""
        return self._lock.take(holder=holder, operation=operation, wait=wait, waiting=waiting)

    def unlock(self, token: str) -> Lease:
        """Remove the lock that is held under that token."""
        return self._lock.remove(token)

    def commit(self, commit: Commit, *, token: str) -> Revision:
        """Write one apply; raises StateConflict.

        Waits for a database that restarts: planning and testing may have taken long.
        """
        for delay in (*_WAITS, None):
            begun = False
            try:
                with self._database.transaction() as rows:
                    begun = True
                    return writing.commit(rows, commit, token)
            except BrokenOff as error:
                if begun:
                    return self._settle(commit, error)
                if delay is None:
                    raise
                time.sleep(delay)
        raise AssertionError("the last turn returns or raises")

    def _settle(self, commit: Commit, error: BrokenOff) -> Revision:
        """Find out whether a revision was written before the connection was lost.

        The server may still be committing, so this waits for the rows that the commit locks.
        """
        for delay in (*_WAITS, None):
            try:
                with self._database.transaction() as rows:
                    found = writing.written(rows, commit)
            except (BrokenOff, StateLocked):
                if delay is not None:
                    time.sleep(delay)
                continue
            if found is not None:
                return found
            raise BrokenOff(error.message, hint="run the command again")
        raise CommitUnknown(error.message, hint=LOOK)

    def record_tests(self, tests: tuple[tuple[str, LastTest], ...], *, serial: int) -> None:
        """Record results of live tests of connectors that did not change after ``serial``."""
        if not self._exists():
            return
        with self._database.transaction() as rows:
            writing.record_tests(rows, tests, serial)

    def record_sent(self, record: SendingRecord) -> None:
        """Add one attempt to send to the audit."""
        if self._exists():
            self._queries.record_sent(record)

    def record_attempts(self, attempts: tuple[SignInAttempt, ...]) -> None:
        """Add attempts to sign in that are about to be made."""
        if attempts and self._exists():
            with self._database.transaction() as rows:
                audit_rows.record_attempts(rows, attempts)

    def finish_attempts(self, attempts: tuple[SignInAttempt, ...]) -> None:
        """Record how attempts ended, and remember where sign-ins succeeded."""
        if attempts and self._exists():
            with self._database.transaction() as rows:
                audit_rows.finish_attempts(rows, attempts)

    def forget_attempts(self, before: datetime) -> int:
        """Remove old attempts to sign in from the audit."""
        return self._queries.forget_attempts(before) if self._exists() else 0

    def attempts(
        self, chosen: AttemptFilter = EVERY_ATTEMPT, *, limit: int = 50
    ) -> tuple[SignInAttempt, ...]:
        """The newest attempts to sign in that match, newest first."""
        with self.each_attempt(chosen, limit=limit) as found:
            return tuple(found)

    def each_attempt(
        self, chosen: AttemptFilter = EVERY_ATTEMPT, *, limit: int = 50
    ) -> AbstractContextManager[Iterator[SignInAttempt]]:
        """The same, one after the other."""
        return self._queries.attempts(chosen, limit)

    def record_settings(
        self, settings: tuple[Setting, ...], *, token: str,
        fingerprints: tuple[tuple[str, Fingerprints], ...] = (),
    ) -> None:  # fmt: skip
        """Record the settings in force, and renewed fingerprints, after an apply that wrote nothing else."""
        with self._database.transaction() as rows:
            writing.record_settings(rows, settings, fingerprints, token)

    def forget_sent(self, before: datetime) -> int:
        """Remove old attempts to send from the audit."""
        return self._queries.forget_sent(before) if self._exists() else 0

    def sent(
        self, matching: SendingFilter = EVERY_SENDING, *, limit: int = 50
    ) -> tuple[SendingRecord, ...]:
        """The newest attempts to send that match, newest first."""
        with self.each_sent(matching, limit=limit) as found:
            return tuple(found)

    def each_sent(
        self, matching: SendingFilter = EVERY_SENDING, *, limit: int = 50
    ) -> AbstractContextManager[Iterator[SendingRecord]]:
        """The same, one after the other."""
        return self._queries.sent(matching, limit)

    def give_space_back(self) -> str:
        """Free the space of deleted entries; return why that failed, or ""."""
        if not self._exists():
            return ""
        try:
            self._database.give_space_back()
        except StateError as error:
            return error.message
        return ""

    def close(self) -> None:
        """Close connections and files."""
        self._database.close()

    def _exists(self) -> bool:
        """Whether there is a state to write to.

        The result is cached, to avoid a query before every mail.
        """
        if not self._seen:
            with self._view() as view:
                self._seen = view is not None
        return self._seen
