"""Opening the file of a SQLite state."""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote
from weakref import WeakSet

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.state.sqlite_pages import SqlitePages

_BUSY_SECONDS = 5.0
_STEP = 500
"""The number of pages to free at once: two megabytes, some tenths of a second on a busy disk."""
_WORTH_A_COPY = 10
"""A file is copied if at least one in this many pages is free."""
# A reader writes to the folder too, where SQLite keeps the index of the write-ahead log: this is how a read-only
# folder and a full disk answer.
_NO_INDEX = ("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_FULL", "SQLITE_IOERR")


class _Connection(sqlite3.Connection):
    """Closes its cursors with itself.

    SQLite keeps a file open, locked and with its log, until the last statement is finished, and the traceback of an
    exception holds the cursor whose rows were being read.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._cursors = WeakSet[sqlite3.Cursor]()

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        cursor = super().execute(*arguments)
        self._cursors.add(cursor)
        return cursor

    def close(self) -> None:
        for cursor in self._cursors:
            cursor.close()
        super().close()


def open_to_write(
    path: Path, how: str = "mode=rw", *, synchronous: str = "FULL"
) -> sqlite3.Connection:
    """Open a file that exists; raises sqlite3.Error."""
    # mode=rw: opening never creates the file.
    connection = sqlite3.connect(
        f"file:{quote(os.fspath(path))}?{how}",
        uri=True,
        timeout=_BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        factory=_Connection,
    )
    try:
        for pragma in (f"synchronous = {synchronous}", "foreign_keys = ON", "cell_size_check = ON",
                       "trusted_schema = OFF"):  # fmt: skip
            connection.execute(f"PRAGMA {pragma}")
    except (sqlite3.Error, UnicodeDecodeError):
        connection.close()
        raise
    return connection


def open_new(path: Path) -> sqlite3.Connection:
    """Open an empty file to create a database in it, which can be made smaller in small steps."""
    connection = open_to_write(path)
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    return connection


def shrink(connection: sqlite3.Connection) -> None:
    """Give free pages back to the file system; raises sqlite3.Error.

    In small steps, between which others can write. A file of an older release, whose pages cannot be
    moved one by one, is rewritten once: others can read it meanwhile, but not write, and it needs space
    for a copy. Keeping the size loses nothing, so this must be worth it.
    """
    free, count, moves = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("freelist_count", "page_count", "auto_vacuum")
    )
    if not moves:
        if free * _WORTH_A_COPY < count:
            return
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("VACUUM")
    while connection.execute("PRAGMA freelist_count").fetchone()[0]:
        # It takes a page with each step of the statement, and execute() makes only one.
        connection.executescript(f"PRAGMA incremental_vacuum({_STEP})")
    # Only moving pages from the log into the file shrinks it. If there are readers, the next one to
    # close it does so.
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def open_to_read(path: Path) -> sqlite3.Connection:
    """Open a file to read it, in a folder that may be read-only; raises sqlite3.Error."""
    # Opened for writing although nothing is written (query_only): with mode=ro, the last one to close
    # the file would leave its log files behind.
    connection: sqlite3.Connection | None = None
    try:
        connection = open_to_write(path)
        connection.execute("PRAGMA query_only = ON")
        connection.execute("SELECT count(*) FROM sqlite_schema")
    except UnicodeDecodeError:
        if connection is not None:
            connection.close()
        raise
    except sqlite3.Error as error:
        if connection is not None:
            connection.close()
        name = cast("str", getattr(error, "sqlite_errorname", ""))
        if not name.startswith(_NO_INDEX) or _has_log(path):
            raise
        # Without a log the file alone is the state.
        return open_to_write(path, "immutable=1")
    return connection


def _has_log(path: Path) -> bool:
    """Whether there is a non-empty log: a writer on a full disk leaves an empty one."""
    try:
        return log_of(path).stat().st_size > 0
    except FileNotFoundError:
        return False


def size_without_log(path: Path) -> int:
    """Return the size of a file that is not open yet, in octets, or 0 if it has a log; raises OSError.

    While there is a log, the last page may be incomplete, since the log contains all of it.
    """
    return 0 if log_of(path).exists() else path.stat().st_size


def is_cut(connection: sqlite3.Connection, size: int) -> bool:
    """Whether the end of the last page was missing at this size, which SQLite would read as zeros.

    Raises sqlite3.Error.
    """
    # SQLite is asked for the size of a page. A process that opens and closes the file itself loses the locks of
    # all its connections to it, and another one would then delete the log that they write to:
    # https://www.sqlite.org/howtocorrupt.html, section 2.2.
    (page,) = connection.execute("PRAGMA page_size").fetchone()
    return bool(size % page)


def schema_version(connection: sqlite3.Connection) -> str | None:
    """The version of the tables, or None if the file holds no state; raises sqlite3.Error."""
    if not connection.execute("PRAGMA table_info(alembic_version)").fetchall():
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None or row[0] is None else str(row[0])


def read_pages(path: Path) -> SqlitePages | None:
    """Read the pages of a file that is not open, and of its log; None if there is no file. Raises OSError."""
    from reconciler.state.sqlite_pages import SqlitePages  # noqa: PLC0415 - one command needs it

    try:
        octets = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        log = log_of(path).read_bytes()
    except FileNotFoundError:
        log = b""
    return SqlitePages(octets, log)


def log_of(path: Path) -> Path:
    """Where the write-ahead log of a file is."""
    return path.with_name(f"{path.name}-wal")
