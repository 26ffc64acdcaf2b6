"""A state in PostgreSQL, in a schema of its own, for teams."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from sqlalchemy import create_engine, event, func, inspect, select
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateSchema

from reconciler.errors import StateUnavailable, UsageError
from reconciler.state.sql import schema
from reconciler.state.sql.faults import told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection

    from reconciler.state.location import PostgresqlLocation

SCHEMA = "reconciler"
_CREATION = 0x7265636F  # the advisory lock under which the schema is created and migrated
_CONNECT_SECONDS = 10
_BUSY_SECONDS = 5


class PostgresqlDatabase:
    """Implements :class:`reconciler.state.sql.database.Database` on a server.

    Leases expire by the server's clock: it is the only one that all writers share.
    """

    def __init__(
        self,
        location: PostgresqlLocation,
        *,
        read_only: bool,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self.location = location
        self._read_only = read_only
        self._clock = clock
        try:
            engine = create_engine(
                location.url,
                poolclass=NullPool,
                connect_args={
                    "connect_timeout": _CONNECT_SECONDS,
                    "application_name": "reconciler",
                },
            )
        except ModuleNotFoundError:
            raise StateUnavailable(
                "a state in PostgreSQL needs psycopg, which is not installed",
                hint="pip install 'reconciler[postgres]'",
            ) from None
        except (ArgumentError, ValueError):  # its text may hold the URL
            raise UsageError("the state URL cannot be read as a URL") from None
        event.listen(engine, "begin", _start)
        self._writer = engine
        self._reader = engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )

    @contextmanager
    def view(self) -> Iterator[Connection | None]:
        """One consistent view to read from; None where no state was created."""
        with told(self.location):
            with self._reader.begin() as connection:
                found = schema.version(connection, SCHEMA)
                if found is None or schema.is_current(found, self.location):
                    yield None if found is None else connection
                    return
            self._upgrade()
            with self._reader.begin() as connection:
                yield connection

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction; what is written locks the row of the lease or of the serial first."""
        if self._read_only:
            raise StateUnavailable(f"{self.location} was opened for reading only")
        with told(self.location):
            with self._writer.begin() as connection:
                found = schema.version(connection, SCHEMA)
                if found is not None and schema.is_current(found, self.location):
                    yield connection
                    return
            self._upgrade()
            with self._writer.begin() as connection:
                yield connection

    def now(self, connection: Connection) -> datetime:
        """The time of the server."""
        if self._clock:
            return self._clock()
        now = cast(datetime, connection.execute(select(func.clock_timestamp())).scalar_one())
        return now.astimezone(UTC)

    def close(self) -> None:
        """Nothing stays open between transactions."""
        self._writer.dispose()

    def _upgrade(self) -> None:
        if self._read_only:
            raise StateUnavailable(
                f"{self.location} was written by an older release and is opened for reading only",
                hint="run reconciler plan with this release once, where it may write to the state",
            )
        with self._writer.begin() as connection:
            connection.execute(select(func.pg_advisory_xact_lock(_CREATION)))
            found = schema.version(connection, SCHEMA)
            if found is not None and schema.is_current(found, self.location):
                return
            if not inspect(connection).has_schema(SCHEMA):
                connection.execute(CreateSchema(SCHEMA))
            schema.migrate(connection)


def _start(connection: Connection) -> None:
    connection.exec_driver_sql(f"SET LOCAL search_path = {SCHEMA}")
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_BUSY_SECONDS}s'")
