"""A state in a SQLite file: creating it, opening it, and backing it up before a migration."""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, cast

from sqlalchemy import create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from reconciler.errors import StateCorrupt, StateUnavailable
from reconciler.signals import deferred
from reconciler.state import folder
from reconciler.state.sql import schema
from reconciler.state.sql.faults import BACKUP, translated
from reconciler.state.sql.pooled import PooledConnection
from reconciler.state.sqlite_file import (
    is_cut,
    open_new,
    open_to_read,
    open_to_write,
    read_pages,
    shrink,
    size_without_log,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection, Engine

    from reconciler.state.location import SqliteLocation
    from reconciler.state.sql.damaged_rows import RowSource


class SqliteDatabase:
    """Implements :class:`reconciler.state.sql.database.Database` on one file.

    Every transaction opens and closes the file, which takes a millisecond and leaves no handle and
    no log. ``clock`` is this machine's, which the database uses too.
    """

    def __init__(
        self,
        location: SqliteLocation,
        *,
        read_only: bool,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self.location = location
        self._path = location.real_path
        self._read_only = read_only
        self._clock = clock
        self._reader = _engine(partial(open_to_read, self._path), "BEGIN")
        self._writer = _engine(partial(open_to_write, self._path), "BEGIN IMMEDIATE")
        # With a write-ahead log, NORMAL can lose only the newest transactions, and only in a power cut:
        # https://www.sqlite.org/pragma.html#pragma_synchronous
        adder = _engine(partial(open_to_write, self._path, synchronous="NORMAL"), "BEGIN IMMEDIATE")
        self._kept = PooledConnection(partial(self._connected, adder), self._place)

    @contextmanager
    def view(self) -> Iterator[Connection | None]:
        """One consistent view to read from, or None if there is no file."""
        with translated(self.location):
            size = self._size()
            if size is None:
                yield None
                return
            with self._reader.begin() as connection:
                self._require_current(connection, size)
                yield connection

    @contextmanager
    def rescue(self) -> Iterator[RowSource | None]:
        """The rows of a file that may be damaged, cut or older, and whose texts may not be UTF-8."""
        from reconciler.state.sql.damaged_rows import (  # noqa: PLC0415 - one command needs them
            DatabaseRows,
            FileRows,
        )

        with translated(self.location), ExitStack() as stack:
            # Before SQLite opens the file: closing it would release SQLite's locks.
            pages = read_pages(self._path)
            if pages is None:
                yield None
                return
            try:
                # Not begin(): committing after reading a damaged file is an error.
                connection = stack.enter_context(self._reader.connect())
                older = not self._is_current(connection)
                driver = cast("sqlite3.Connection", connection.connection.driver_connection)
                driver.text_factory = lambda octets: octets.decode("utf-8", "surrogateescape")
                source = FileRows(pages, DatabaseRows(connection, older=older))
            except (StateCorrupt, DBAPIError, sqlite3.Error, UnicodeDecodeError) as error:
                said = getattr(error, "orig", None) or error
                source = FileRows(pages, refused=" ".join(str(said).split())[:200])
                if source.is_empty:
                    raise
            yield source

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction, exclusive from its beginning."""
        if self._read_only:
            raise StateUnavailable(f"{self.location} was opened for reading only")
        with translated(self.location):
            size = self._size()
            if size is None:
                self._create()
            with self._writer.begin() as connection:
                self._require_current(connection, size or 0)
                yield connection

    @contextmanager
    def addition(self) -> Iterator[Connection]:
        """One transaction to add to the audit."""
        if self._read_only:
            raise StateUnavailable(f"{self.location} was opened for reading only")
        with translated(self.location), self._kept.transaction() as connection:
            yield connection

    def migrate(self) -> bool:
        """Migrate an older state to this release's schema, after a backup of the file."""
        with translated(self.location):
            size = self._size()
            if size is None:
                return False
            with self._reader.begin() as connection:
                self._require_whole(connection, size)
                if self._is_current(connection):
                    return False
                if self._read_only:
                    raise schema.older(self.location)
            with self._writer.begin() as connection:
                # Another process may have migrated it while this one waited.
                if self._is_current(connection):
                    return False
                self._back_up(schema.version(connection) or "")
                schema.migrate(connection)
                return True

    def give_space_back(self) -> None:
        """Make the file smaller."""
        # If a power cut undoes the newest steps, only free space is lost.
        with (
            translated(self.location),
            closing(open_to_write(self._path, synchronous="NORMAL")) as raw,
        ):
            shrink(raw)

    def now(self, connection: Connection) -> datetime:  # noqa: ARG002 - the port hands it over
        """The time of this machine."""
        return self._clock() if self._clock else datetime.now(UTC)

    def close(self) -> None:
        """Only the connection for additions stays open between transactions."""
        with deferred():
            self._kept.close()
            self._reader.dispose()
            self._writer.dispose()

    def _connected(self, engine: Engine) -> Connection:
        with self.view() as view:  # which refuses an older state, and a newer one
            if view is None:
                raise StateUnavailable(f"{self.location} is gone")
        return engine.connect()

    def _place(self) -> object:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _size(self) -> int | None:
        """The size of the file before it is opened: 0 if it has a log, None if there is no file."""
        try:
            found = self._path.stat()
            if not stat.S_ISREG(found.st_mode):
                what = "a folder" if stat.S_ISDIR(found.st_mode) else "no ordinary file"
                raise StateUnavailable(
                    f"{self.location} is {what}, so it cannot be the state",
                    hint="set a state URL that names a file, such as sqlite:///.reconciler/state.db",
                )
            if not os.access(self._path, os.R_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            size = size_without_log(self._path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise folder.unavailable(self.location.path, "read", error) from None
        if found.st_size == 0:
            # Ours are published whole, so a full disk or an incomplete copy left this.
            raise StateCorrupt(
                f"{self.location} is empty: its content was lost, or it was never a state",
                hint="restore it from a backup; delete it only if nothing was ever applied",
            )
        return size

    def _require_whole(self, connection: Connection, size: int) -> None:
        driver = cast("sqlite3.Connection", connection.connection.driver_connection)
        if is_cut(driver, size):
            raise StateCorrupt(f"{self.location} is damaged: its end is missing", hint=BACKUP)

    def _require_current(self, connection: Connection, size: int) -> None:
        self._require_whole(connection, size)
        if not self._is_current(connection):
            raise schema.older(self.location)

    def _is_current(self, connection: Connection) -> bool:
        found = schema.version(connection)
        if found is None:
            raise StateCorrupt(
                f"{self.location} is a SQLite database, but holds no state",
                hint="set the right state URL",
            )
        return schema.is_current(found, self.location)

    def _create(self) -> None:
        folder.prepare(self._path.parent)
        with folder.draft(self._path) as draft:
            engine = _engine(partial(open_new, draft), "BEGIN IMMEDIATE")
            with engine.begin() as connection:
                schema.create(connection)
            # Only now: on a full disk, pages could stay in a write-ahead log, which is not published.
            with closing(open_to_write(draft)) as raw:
                raw.execute("PRAGMA journal_mode = WAL")
            folder.publish(draft, self._path)

    def _back_up(self, found: str) -> None:
        # Complete and flushed before anything is changed: it is the only way back from a failed migration.
        target = self._path.with_name(f"{self._path.name}.schema-{found}.bak")
        with folder.draft(target) as draft:
            with (
                closing(open_to_write(self._path)) as source,
                closing(sqlite3.connect(draft)) as copy,
            ):
                source.backup(copy)
            folder.replace(draft, target)


def _engine(creator: Callable[[], sqlite3.Connection], begin: str) -> Engine:
    engine = create_engine("sqlite://", creator=creator, poolclass=NullPool)

    # The driver begins transactions only at the first write, and never around DDL:
    # https://docs.sqlalchemy.org/en/21/dialects/sqlite.html#serializable-isolation-savepoints-transactional-ddl
    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine
