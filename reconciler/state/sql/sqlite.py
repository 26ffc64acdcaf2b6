"""A state in a SQLite file: creating it, opening it, and backing it up before a migration."""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from reconciler.errors import StateCorrupt, StateUnavailable
from reconciler.signals import deferred
from reconciler.state import folder, sqlite_file
from reconciler.state.schema_version import is_current, older
from reconciler.state.sql.driver_rows import DriverRows
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

_SCRIPT: Final = Path(__file__).with_name("sqlite_schema.sql")
"""The statements that create an empty state. A test compares them with :mod:`reconciler.state.sql.tables`."""


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
        self._clock = clock or _utc_now
        self._kept = PooledConnection(self._connected, self._place)

    @contextmanager
    def view(self) -> Iterator[DriverRows | None]:
        """One consistent view to read from, or None if there is no file."""
        with translated(self.location):
            size = self._size()
            if size is None:
                yield None
                return
            with _begun(open_to_read(self._path), "BEGIN") as connection:
                self._require_current(connection, size)
                yield DriverRows(connection, self._clock)

    @contextmanager
    def sql_view(self) -> Iterator[Connection | None]:
        """The same through SQLAlchemy."""
        with translated(self.location):
            size = self._size()
            if size is None:
                yield None
                return
            with self._reader.begin() as connection:
                self._require_current(_driver(connection), size)
                yield connection

    @contextmanager
    def rescue(self) -> Iterator[RowSource | None]:
        """The rows of a file that may be damaged, cut or older, and whose texts may not be UTF-8."""
        from sqlalchemy.exc import DBAPIError  # noqa: PLC0415 - one command needs all three

        from reconciler.state.sql.damaged_rows import DatabaseRows, FileRows  # noqa: PLC0415 - likewise

        with translated(self.location), ExitStack() as stack:
            # Before SQLite opens the file: closing it would release SQLite's locks.
            pages = read_pages(self._path)
            if pages is None:
                yield None
                return
            try:
                # Not begin(): committing after reading a damaged file is an error.
                connection = stack.enter_context(self._reader.connect())
                driver = _driver(connection)
                behind = not self._is_current(driver)
                driver.text_factory = lambda octets: octets.decode("utf-8", "surrogateescape")
                source = FileRows(pages, DatabaseRows(connection, older=behind))
            except (StateCorrupt, DBAPIError, sqlite3.Error, UnicodeDecodeError) as error:
                said = getattr(error, "orig", None) or error
                source = FileRows(pages, refused=" ".join(str(said).split())[:200])
                if source.is_empty:
                    raise
            yield source

    @contextmanager
    def transaction(self) -> Iterator[DriverRows]:
        """One transaction, exclusive from its beginning."""
        with translated(self.location):
            size = self._size_to_write()
            with _begun(open_to_write(self._path), "BEGIN IMMEDIATE") as connection:
                self._require_current(connection, size)
                yield DriverRows(connection, self._clock)

    @contextmanager
    def sql_transaction(self) -> Iterator[Connection]:
        """The same through SQLAlchemy."""
        with translated(self.location):
            size = self._size_to_write()
            with self._writer.begin() as connection:
                self._require_current(_driver(connection), size)
                yield connection

    def rows(self, connection: Connection) -> DriverRows:
        """The rows in a transaction through SQLAlchemy."""
        return DriverRows(_driver(connection), self._clock)

    @contextmanager
    def addition(self) -> Iterator[Connection]:
        """One transaction to add to the audit."""
        self._require_writable()
        with translated(self.location), self._kept.transaction() as connection:
            yield connection

    def migrate(self) -> bool:
        """Migrate an older state to this release's schema, after a backup of the file."""
        with translated(self.location):
            size = self._size()
            if size is None:
                return False
            with _begun(open_to_read(self._path), "BEGIN") as connection:
                self._require_whole(connection, size)
                if self._is_current(connection):
                    return False
                if self._read_only:
                    raise older(self.location)
            from reconciler.state.sql import schema  # noqa: PLC0415 - a current state needs no migration

            with self._writer.begin() as writer:
                driver = _driver(writer)
                # Another process may have migrated it while this one waited.
                if self._is_current(driver):
                    return False
                self._back_up(sqlite_file.schema_version(driver) or "")
                schema.migrate(writer)
                return True

    def give_space_back(self) -> None:
        """Make the file smaller."""
        # If a power cut undoes the newest steps, only free space is lost.
        with (
            translated(self.location),
            closing(open_to_write(self._path, synchronous="NORMAL")) as raw,
        ):
            shrink(raw)

    def close(self) -> None:
        """Only the connection for additions stays open between transactions."""
        with deferred():
            self._kept.close()

    def _connected(self) -> Connection:
        with self.view() as view:  # which refuses an older state, and a newer one
            if view is None:
                raise StateUnavailable(f"{self.location} is gone")
        return self._adder.connect()

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

    def _require_writable(self) -> None:
        if self._read_only:
            raise StateUnavailable(f"{self.location} was opened for reading only")

    def _size_to_write(self) -> int:
        """The size of the file, which is created if there is none, before it is opened for writing."""
        self._require_writable()
        size = self._size()
        if size is None:
            self._create()
        return size or 0

    def _require_whole(self, connection: sqlite3.Connection, size: int) -> None:
        if is_cut(connection, size):
            raise StateCorrupt(f"{self.location} is damaged: its end is missing", hint=BACKUP)

    def _require_current(self, connection: sqlite3.Connection, size: int) -> None:
        self._require_whole(connection, size)
        if not self._is_current(connection):
            raise older(self.location)

    def _is_current(self, connection: sqlite3.Connection) -> bool:
        found = sqlite_file.schema_version(connection)
        if found is None:
            raise StateCorrupt(
                f"{self.location} is a SQLite database, but holds no state",
                hint="set the right state URL",
            )
        return is_current(found, self.location)

    def _create(self) -> None:
        folder.prepare(self._path.parent)
        with folder.draft(self._path) as draft:
            with _begun(open_new(draft), "BEGIN IMMEDIATE") as connection:
                for statement in _SCRIPT.read_text("utf-8").split(";\n"):
                    connection.execute(statement)
            # Only now: on a full disk, pages could stay in a write-ahead log, which is not published.
            with closing(open_to_write(draft)) as raw:
                raw.execute("PRAGMA journal_mode = WAL")
            folder.publish(draft, self._path)

    @cached_property
    def _reader(self) -> Engine:
        return _engine(partial(open_to_read, self._path), "BEGIN")

    @cached_property
    def _adder(self) -> Engine:
        # With a write-ahead log, NORMAL can lose only the newest transactions, and only in a power cut:
        # https://www.sqlite.org/pragma.html#pragma_synchronous
        add = partial(open_to_write, self._path, synchronous="NORMAL")
        return _engine(add, "BEGIN IMMEDIATE")

    @cached_property
    def _writer(self) -> Engine:
        return _engine(partial(open_to_write, self._path), "BEGIN IMMEDIATE")

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


@contextmanager
def _begun(opened: sqlite3.Connection, begin: str) -> Iterator[sqlite3.Connection]:
    """One transaction on a file that is closed at the end; an exception undoes what it wrote."""
    with closing(opened) as connection:
        connection.execute(begin)
        yield connection
        connection.execute("COMMIT")


def _engine(creator: Callable[[], sqlite3.Connection], begin: str) -> Engine:
    from reconciler.state.sql.sqlite_engine import engine  # noqa: PLC0415 - SQLAlchemy takes 0.2 s

    return engine(creator, begin)


def _driver(connection: Connection) -> sqlite3.Connection:
    return cast("sqlite3.Connection", connection.connection.driver_connection)


def _utc_now() -> datetime:
    return datetime.now(UTC)
