"""Opening the file of a SQLite state."""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING, cast
from urllib.parse import quote

if TYPE_CHECKING:
    from pathlib import Path

_BUSY_SECONDS = 5.0
# A reader must be able to write to the folder too, where SQLite keeps the index of the write-ahead log.
_FOLDER_READ_ONLY = ("SQLITE_CANTOPEN", "SQLITE_READONLY")


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
    )
    try:
        for pragma in (f"synchronous = {synchronous}", "foreign_keys = ON", "cell_size_check = ON",
                       "trusted_schema = OFF"):  # fmt: skip
            connection.execute(f"PRAGMA {pragma}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def open_to_read(path: Path) -> sqlite3.Connection:
    """Open a file to read it, in a folder that may be read-only; raises sqlite3.Error."""
    # Opened for writing although nothing is written (query_only): the last one to close a file in
    # mode=ro leaves its log files behind.
    connection: sqlite3.Connection | None = None
    try:
        connection = open_to_write(path)
        connection.execute("PRAGMA query_only = ON")
        connection.execute("SELECT count(*) FROM sqlite_schema")
    except sqlite3.Error as error:
        if connection is not None:
            connection.close()
        name = cast("str", getattr(error, "sqlite_errorname", ""))
        if not name.startswith(_FOLDER_READ_ONLY) or log_of(path).exists():
            raise
        # Without a log no writer has it open, so the file alone is the state.
        return open_to_write(path, "immutable=1")
    return connection


def is_cut(path: Path) -> bool:
    """Whether the end of the last page is missing, which SQLite would read as zeros; raises OSError.

    While there is a log, a page may be incomplete, since the log contains all of it.
    """
    return bool(path.stat().st_size % _page_size(path)) and not log_of(path).exists()


def log_of(path: Path) -> Path:
    """Where the write-ahead log of a file is."""
    return path.with_name(f"{path.name}-wal")


def _page_size(path: Path) -> int:
    # https://www.sqlite.org/fileformat.html#the_database_header; 1 for what has no such header
    with path.open("rb") as file:
        header = file.read(18)
    size = int.from_bytes(header[16:], "big")
    if not header.startswith(b"SQLite format 3\0") or size == 0:
        return 1
    return 65536 if size == 1 else size
