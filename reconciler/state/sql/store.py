"""The store on a database: each method is one transaction."""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, assert_never

from reconciler.back_off import BackOff
from reconciler.errors import CommitUnknown, StateCorrupt, StateError, StateLocked
from reconciler.model.sending import EVERY_SENDING
from reconciler.model.sign_in_attempt import EVERY_ATTEMPT
from reconciler.model.snapshot import StoredState
from reconciler.state.base import PastState
from reconciler.state.decoding import NO_RESOURCES, UNREADABLE
from reconciler.state.effects import nothing_to_export
from reconciler.state.folder import refuse_unsafe
from reconciler.state.location import PostgresqlLocation, SqliteLocation, locate
from reconciler.state.specs import Specifications
from reconciler.state.sql import auditing, reading, routing_keys, writing
from reconciler.state.sql.faults import BrokenOff
from reconciler.state.sql.locking import DatabaseLock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from sqlalchemy import Connection

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

_LOOK = "once the database is back, `reconciler history` shows whether the revision was written"


class SqlStore:
    """Implements :class:`reconciler.state.base.StateStore`. Safe to use from several threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = DatabaseLock(database, self._view)
        self._seen = False
        self._read: Mapping[str, Resource] = {}

    @contextmanager
    def _view(self) -> Iterator[Connection | None]:
        """One view; an unreadable value in it is named by table, row and column."""
        with self._database.view() as view:
            try:
                yield view
            except (StateCorrupt, *UNREADABLE) as error:
                if view is None:
                    raise
                from reconciler.state.sql import checking  # noqa: PLC0415 - only where something is wrong

                raise checking.explain(view, error) from None

    def check(self) -> tuple[str, ...]:
        """Read everything, and return its problems, a sentence each."""
        from reconciler.state.sql import checking  # noqa: PLC0415 - two commands need it

        with self._database.view() as view:
            return tuple(checking.problems(view)) if view is not None else ()

    def broken_links(self) -> tuple[int, ...]:
        """The revisions that do not match their digest in the chain, oldest first."""
        from reconciler.state.sql import checking  # noqa: PLC0415 - likewise

        with self._view() as view:
            return checking.broken_links(view) if view is not None else ()

    def load(
        self, like: Mapping[Address, Resource] = NO_RESOURCES, *, only_resources: bool = False
    ) -> StoredState:
        """Read the newest revision; raises StateCorrupt if a resource cannot be read back."""
        read = Specifications(self._read) if like else None
        with self._view() as view:
            if view is None:
                return StoredState()
            found = reading.load(view, like, read, only_resources=only_resources)
        self._read = read.found if read is not None else {}
        return found

    def routing(self, needs: RoutingNeeds) -> RoutingExcerpt | None:
        """Read what the routing of one mail needs; None if it cannot be found by keys."""
        with self._view() as view:
            return routing_keys.excerpt(view, needs) if view is not None else None

    def migrate(self) -> bool:
        """Migrate a state of an older release to this one; False if there was nothing to do."""
        if not self._database.migrate():
            return False
        with suppress(StateCorrupt), self._database.transaction() as transaction:
            routing_keys.rebuild(transaction)
        return True

    def revisions(self, *, limit: int = 50, until: int | None = None) -> tuple[Revision, ...]:
        """The newest revisions up to and including ``until``, newest first."""
        with self._view() as view:
            return reading.revisions(view, limit, until) if view is not None else ()

    def changes_of(self, serial: int) -> tuple[HistoryEntry, ...]:
        """What one revision did, in order."""
        with self._view() as view:
            return reading.changes_of(view, serial) if view is not None else ()

    def past(self, serial: int, like: Mapping[Address, Resource] = NO_RESOURCES) -> PastState:
        """Everything as it was at that revision; raises StateCorrupt if it cannot be read back."""
        with self._view() as view:
            return reading.past(view, serial, like) if view is not None else PastState(serial, {})

    def step(self, serial: int) -> tuple[PastState, PastState]:
        """Before and after one revision: only the resources that it touched."""
        with self._view() as view:
            if view is None:
                return PastState(serial - 1, {}), PastState(serial, {})
            return (
                reading.past(view, serial - 1, touched_by=serial),
                reading.past(view, serial, touched_by=serial),
            )

    def history(self, address: Address, *, limit: int = 50) -> tuple[HistoryEntry, ...]:
        """The history of the resource with an address or, failing that, of the one that last had it."""
        with self._view() as view:
            return reading.history(view, address, limit) if view is not None else ()

    @contextmanager
    def export(self) -> Iterator[WholeState]:
        """Everything except the lock; raises StateError if nothing was applied."""
        from reconciler.state.sql.export import StoredWhole  # noqa: PLC0415 - only two commands move a state

        with self._view() as view:
            if view is None:
                raise nothing_to_export()
            yield StoredWhole(view)

    @contextmanager
    def salvage(self) -> Iterator[WholeState]:
        """Everything that can still be read, and what cannot."""
        from reconciler.state.sql.salvage import Salvage  # noqa: PLC0415 - likewise

        with self._database.rescue() as view:
            if view is None:
                raise nothing_to_export()
            yield Salvage(view).export()

    def restore(self, export: WholeState, *, token: str) -> None:
        """Fill an empty state; raises StateError if it is not empty."""
        from reconciler.state.sql import export as sql_export  # noqa: PLC0415 - likewise

        begun = False
        try:
            with self._database.transaction() as transaction:
                begun = True
                sql_export.restore(transaction, export, token, self._database.now(transaction))
        except BrokenOff as error:
            if not begun:
                raise
            raise CommitUnknown(error.message, hint=_LOOK) from None

    def lease(self) -> Lease | None:
        """The lease in force, if any."""
        with self._view() as view:
            return None if view is None else reading.lease(view, self._database.now(view))

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
                with self._database.transaction() as transaction:
                    begun = True
                    now = self._database.now(transaction)
                    return writing.commit(transaction, commit, token, now)
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
                with self._database.transaction() as transaction:
                    reading.any_lease(transaction, lock=True)
                    newest = reading.revisions(transaction, 1, None)
            except (BrokenOff, StateLocked):
                if delay is not None:
                    time.sleep(delay)
                continue
            if newest and _is_of(newest[0], commit):
                return newest[0]
            raise BrokenOff(error.message, hint="run the command again")
        raise CommitUnknown(error.message, hint=_LOOK)

    def record_tests(self, tests: tuple[tuple[str, LastTest], ...], *, serial: int) -> None:
        """Record results of live tests of connectors that did not change after ``serial``."""
        if not self._exists():
            return
        with self._database.transaction() as transaction:
            writing.record_tests(transaction, tests, serial)

    def record_sent(self, record: SendingRecord) -> None:
        """Add one attempt to send to the audit."""
        if not self._exists():
            return
        with self._database.addition() as transaction:
            writing.record_sent(transaction, record)

    def record_attempts(self, attempts: tuple[SignInAttempt, ...]) -> None:
        """Add attempts to sign in that are about to be made."""
        if attempts and self._exists():
            with self._database.transaction() as transaction:
                auditing.record_attempts(transaction, attempts)

    def finish_attempts(self, attempts: tuple[SignInAttempt, ...]) -> None:
        """Record how attempts ended, and remember where sign-ins succeeded."""
        if attempts and self._exists():
            with self._database.transaction() as transaction:
                auditing.finish_attempts(transaction, attempts)

    def forget_attempts(self, before: datetime) -> int:
        """Remove old attempts to sign in from the audit."""
        if not self._exists():
            return 0
        with self._database.transaction() as transaction:
            return auditing.forget_attempts(transaction, before)

    def attempts(
        self, chosen: AttemptFilter = EVERY_ATTEMPT, *, limit: int = 50
    ) -> tuple[SignInAttempt, ...]:
        """The newest attempts to sign in that match, newest first."""
        with self.each_attempt(chosen, limit=limit) as found:
            return tuple(found)

    @contextmanager
    def each_attempt(
        self, chosen: AttemptFilter = EVERY_ATTEMPT, *, limit: int = 50
    ) -> Iterator[Iterator[SignInAttempt]]:
        """The same, one after the other."""
        with self._view() as view:
            yield auditing.attempts(view, chosen, limit) if view is not None else iter(())

    def record_settings(
        self, settings: tuple[Setting, ...], *, token: str,
        fingerprints: tuple[tuple[str, Fingerprints], ...] = (),
    ) -> None:  # fmt: skip
        """Record the settings in force, and renewed fingerprints, after an apply that wrote nothing else."""
        with self._database.transaction() as transaction:
            now = self._database.now(transaction)
            writing.record_settings(transaction, settings, fingerprints, token, now)

    def forget_sent(self, before: datetime) -> int:
        """Remove old attempts to send from the audit."""
        if not self._exists():
            return 0
        with self._database.transaction() as transaction:
            return writing.forget_sent(transaction, before)

    def sent(
        self, matching: SendingFilter = EVERY_SENDING, *, limit: int = 50
    ) -> tuple[SendingRecord, ...]:
        """The newest attempts to send that match, newest first."""
        with self.each_sent(matching, limit=limit) as found:
            return tuple(found)

    @contextmanager
    def each_sent(
        self, matching: SendingFilter = EVERY_SENDING, *, limit: int = 50
    ) -> Iterator[Iterator[SendingRecord]]:
        """The same, one after the other."""
        with self._view() as view:
            yield reading.sent(view, matching, limit) if view is not None else iter(())

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


def _is_of(revision: Revision, commit: Commit) -> bool:
    """Whether a revision is the one that a commit was writing, to the microsecond."""
    return (
        revision.serial == commit.expected_serial + 1
        and revision.at == commit.at
        and revision.actor == commit.actor
        and revision.plan_digest == commit.plan_digest
    )
