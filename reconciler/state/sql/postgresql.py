"""A state in PostgreSQL, in its own schema, for teams."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, cast

from sqlalchemy import create_engine, event, func, inspect, select
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateSchema

from reconciler.errors import StateUnavailable
from reconciler.signals import deferred
from reconciler.state.schema_version import is_current, older
from reconciler.state.sql import schema
from reconciler.state.sql.connecting import Connecting
from reconciler.state.sql.core_rows import CoreRows
from reconciler.state.sql.faults import translated
from reconciler.state.sql.pooled import PooledConnection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection

    from reconciler.secrets.base import Secret
    from reconciler.state.location import PostgresqlLocation
    from reconciler.state.sql.damaged_rows import RowSource

SCHEMA = "reconciler"
_CREATION = 0x7265636F  # the advisory lock under which the schema is created and migrated
_BUSY_SECONDS = 5
_IDLE_SECONDS = 30  # half a lease: a stopped writer keeps its rows locked no longer than this


class PostgresqlDatabase:
    """Implements :class:`reconciler.state.sql.database.Database` on a server.

    Leases expire by the server's clock, the only one that all writers share.
    """

    def __init__(
        self,
        location: PostgresqlLocation,
        *,
        read_only: bool,
        password: Callable[[], Secret] | None = None,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self.location = location
        self._read_only = read_only
        self._clock = clock
        engine = create_engine(
            "postgresql+psycopg://",
            poolclass=NullPool,
            creator=Connecting(location.url, password),
        )
        event.listen(engine, "begin", _start)
        self._writer = engine
        self._kept = PooledConnection(self._connected, lambda: None)
        self._reader = engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )

    @contextmanager
    def view(self) -> Iterator[CoreRows | None]:
        """One consistent view to read from; None if no state was created."""
        with self.sql_view() as connection:
            yield self.rows(connection) if connection is not None else None

    @contextmanager
    def sql_view(self) -> Iterator[Connection | None]:
        """The connection behind :meth:`view`."""
        with translated(self.location), self._reader.begin() as connection:
            yield connection if self._is_present(connection) else None

    @contextmanager
    def rescue(self) -> Iterator[RowSource | None]:
        """The rows that the server finds, even in a state of an older release: it manages its own pages."""
        from reconciler.state.sql.damaged_rows import DatabaseRows  # noqa: PLC0415 - one command needs it

        with translated(self.location), self._reader.begin() as connection:
            found = schema.version(connection, SCHEMA)
            behind = found is not None and not is_current(found, self.location)
            yield (None if found is None else DatabaseRows(connection, older=behind, schema=SCHEMA))

    @contextmanager
    def transaction(self) -> Iterator[CoreRows]:
        """One transaction; each write first locks the row of the lease or of the serial."""
        with self.sql_transaction() as connection:
            yield self.rows(connection)

    @contextmanager
    def sql_transaction(self) -> Iterator[Connection]:
        """The connection behind :meth:`transaction`."""
        if self._read_only:
            raise StateUnavailable(f"{self.location} was opened for reading only")
        with translated(self.location):
            with self._writer.begin() as connection:
                if self._is_present(connection):
                    yield connection
                    return
            self._upgrade()  # which creates it
            with self._writer.begin() as connection:
                yield connection

    @contextmanager
    def addition(self) -> Iterator[Connection]:
        """One transaction to add to the audit."""
        if self._read_only:
            raise StateUnavailable(f"{self.location} was opened for reading only")
        with translated(self.location), self._kept.transaction() as connection:
            yield connection

    def migrate(self) -> bool:
        """Migrate an older state to this release's schema, in one transaction."""
        with translated(self.location):
            with self._reader.begin() as connection:
                found = schema.version(connection, SCHEMA)
                if found is None or is_current(found, self.location):
                    return False
            if self._read_only:
                raise older(self.location)
            return self._upgrade()

    def give_space_back(self) -> None:
        """Leave that to the server, whose autovacuum makes the space available to new rows."""

    def rows(self, connection: Connection) -> CoreRows:
        """The rows in a transaction."""
        return CoreRows(connection, partial(self._now, connection))

    def _now(self, connection: Connection) -> datetime:
        """The time of the server."""
        if self._clock:
            return self._clock()
        now = cast("datetime", connection.execute(select(func.clock_timestamp())).scalar_one())
        return now.astimezone(UTC)

    def close(self) -> None:
        """Only the connection for additions stays open between transactions."""
        with deferred():
            self._kept.close()
            self._writer.dispose()

    def _connected(self) -> Connection:
        with self.sql_view() as view:  # which refuses an older state, and a newer one
            if view is None:
                raise StateUnavailable(f"{self.location} is gone")
        return self._writer.connect()

    def _is_present(self, connection: Connection) -> bool:
        found = schema.version(connection, SCHEMA)
        if found is not None and not is_current(found, self.location):
            raise older(self.location)
        return found is not None

    def _upgrade(self) -> bool:
        """Bring the state to this release's schema, creating it if needed; False if it was current."""
        with self._writer.begin() as connection:
            connection.execute(select(func.pg_advisory_xact_lock(_CREATION)))
            found = schema.version(connection, SCHEMA)
            if found is not None and is_current(found, self.location):
                return False
            if not inspect(connection).has_schema(SCHEMA):
                connection.execute(CreateSchema(SCHEMA))
            if found is None:
                schema.create(connection)
            else:
                schema.migrate(connection)
            return True


def _start(connection: Connection) -> None:
    # One round trip for all three.
    connection.exec_driver_sql(
        f"SET LOCAL search_path = {SCHEMA};"
        f"SET LOCAL lock_timeout = '{_BUSY_SECONDS}s';"
        f"SET LOCAL idle_in_transaction_session_timeout = '{_IDLE_SECONDS}s'"
    )
