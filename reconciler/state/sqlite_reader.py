"""Reading the rows of a SQLite state with the driver alone.

Loading SQLAlchemy takes longer than most commands that only read. :mod:`reconciler.state.sql.driver_rows` reads with this
module what an apply needs. :func:`newest`, :func:`load` and :func:`attempt` are for commands that only look: they
leave anything that is not exactly as an apply leaves it (no file, an older schema, a value of the wrong type, a failure
of any kind) to :mod:`reconciler.state.sql.store`, which reports it.
"""

from __future__ import annotations

import sqlite3
import stat
import sys
from contextlib import closing
from datetime import datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from reconciler.errors import StateCorrupt
from reconciler.signals import deferred
from reconciler.state import decoding, sqlite_file
from reconciler.state.folder import refuse_unsafe
from reconciler.state.location import SqliteLocation, locate
from reconciler.state.schema_version import SCHEMA_VERSION
from reconciler.state.sqlite_values import moment_in, unexpected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from reconciler.model.address import Address
    from reconciler.model.resource import Resource
    from reconciler.model.snapshot import StoredState
    from reconciler.state.specs import Specifications

T = TypeVar("T")

Row: TypeAlias = tuple[Any, ...]

COLUMNS: Final[Mapping[str, Mapping[str, type]]] = {
    "meta": {"id": int, "lineage": str, "serial": int, "settings": str, "routing": str},
    "revisions": {
        "serial": int, "at": datetime, "actor": str, "actor_source": str, "git_commit": str,
        "tool_version": str, "plan_digest": str, "added": int, "changed": int, "destroyed": int,
        "note": str, "chain": str,
    },
    "fingerprints": {"uid": str, "reference": str, "key_id": str, "mac": str},
    "tests": {
        "uid": str, "passed": bool, "at": datetime, "stage": str, "error_class": str,
        "summary": str, "failing_since": datetime, "facts": str,
    },
    "resources": {
        "uid": str, "kind": str, "name": str, "spec": str, "digest": str, "created_at": datetime,
        "modified_at": datetime, "modified_by": str, "modified_serial": int,
    },
    "credential_uses": {
        "id": str, "at": datetime, "reference": str, "identity": str, "host": str, "port": int,
        "security": str, "username": str, "key_id": str, "mac": str,
    },
    "routing_keys": {"role": str, "key": str, "uid": str, "mark": str},
    "lock": {
        "id": int, "token": str, "holder": str, "operation": str, "host": str, "since": datetime,
        "expires": datetime,
    },
}  # fmt: skip
"""The columns of each table that is read, and the types of their values in Python."""

OPTIONAL: Final = frozenset({"failing_since", "since", "expires"})
"""The columns that may be null."""

_SHORT: Final = 64
"""The maximum length of texts to intern, since hosts and references recur."""

_AT_ONCE: Final = 256
"""Rows that are fetched together."""

# The forgotten resources whose addresses have not been used since.
_FORGOTTEN = """
    SELECT past.kind, past.name, past.serial, revisions.at, revisions.actor
    FROM history AS past JOIN revisions ON revisions.serial = past.serial
    WHERE past.action = 'forget' AND past.serial = (
        SELECT max(serial) FROM history WHERE kind = past.kind AND name = past.name
    )
    ORDER BY past.serial, past.position"""
_OF_FORGOTTEN = {"kind": str, "name": str, "serial": int, "at": datetime, "actor": str}


def newest(
    url: str, like: Mapping[Address, Resource] = decoding.NO_RESOURCES
) -> StoredState | None:
    """Read the newest revision of the state at a URL; None for one that needs a closer look.

    Reuses equal resources of ``like``.

    Raises UsageError for a URL that cannot be read, and StateUnavailable for a file that others
    could have planted.
    """
    location = locate(url)
    if not isinstance(location, SqliteLocation):
        return None
    refuse_unsafe(location.path)
    return load(location.real_path, like)


def load(
    path: Path, like: Mapping[Address, Resource] = decoding.NO_RESOURCES
) -> StoredState | None:
    """Read the newest revision from a file; None if it needs a closer look."""
    return attempt(
        path, sqlite_file.open_to_read, "BEGIN", lambda connection: everything(connection, like)
    )


def attempt(
    path: Path,
    open_file: Callable[[Path], sqlite3.Connection],
    begin: str,
    work: Callable[[sqlite3.Connection], T],
) -> T | None:
    """Do something within a transaction of a file of this release; None if it needs a closer look.

    ``work`` commits what it writes.
    """
    try:
        with deferred():
            status = path.stat()
            if not stat.S_ISREG(status.st_mode) or not status.st_size:
                return None
            size = sqlite_file.size_without_log(path)
            with closing(open_file(path)) as connection:
                if sqlite_file.is_cut(connection, size):
                    return None
                connection.execute(begin)
                found = connection.execute("SELECT version_num FROM alembic_version").fetchall()
                return work(connection) if found == [(SCHEMA_VERSION,)] else None
    except (OSError, sqlite3.Error, StateCorrupt, *decoding.UNREADABLE):
        return None


def everything(
    connection: sqlite3.Connection,
    like: Mapping[Address, Resource] = decoding.NO_RESOURCES,
    specifications: Specifications | None = None,
    *,
    only_resources: bool = False,
) -> StoredState:
    """Read the newest revision in a transaction that was begun.

    Raises StateCorrupt, or one of ``decoding.UNREADABLE``, for what cannot be read back.
    """
    (meta,) = select(connection, "meta")
    return decoding.stored_state(
        meta,
        fingerprints=_table(connection, "fingerprints"),
        tests=() if only_resources else _table(connection, "tests"),
        resources=_table(connection, "resources"),
        forgotten=() if only_resources else rows(connection, _FORGOTTEN, _OF_FORGOTTEN),
        credential_uses=() if only_resources else _table(connection, "credential_uses"),
        like=like,
        specifications=specifications,
    )


def select(
    connection: sqlite3.Connection, table: str, ordered: str = "", given: Sequence[Any] = ()
) -> Iterator[Any]:
    """Yield the rows of a table, whose attributes are the columns.

    Raises StateCorrupt for a value of the wrong type.
    """
    columns = COLUMNS[table]
    for row in _table(connection, table, ordered, given):
        yield SimpleNamespace(**dict(zip(columns, row, strict=True)))


def _table(
    connection: sqlite3.Connection, table: str, ordered: str = "", given: Sequence[Any] = ()
) -> Iterator[Row]:
    """Yield the rows of a table, in the order of ``COLUMNS``.

    Raises StateCorrupt for a value of the wrong type.
    """
    columns = COLUMNS[table]
    query = f"SELECT {', '.join(columns)} FROM {table}{ordered}"  # noqa: S608 - names of ours
    return rows(connection, query, columns, given)


def rows(
    connection: sqlite3.Connection,
    query: str,
    columns: Mapping[str, type],
    given: Sequence[Any] = (),
    *,
    optional: AbstractSet[str] = OPTIONAL,
) -> Iterator[Row]:
    """Yield the rows one by one: for ten thousand connectors, they take twice the memory of the result.

    They are fetched in portions, and the values of a column are read together. Raises StateCorrupt for a value of
    the wrong type.
    """
    cursor = connection.execute(query, given)
    while fetched := cursor.fetchmany(_AT_ONCE):
        read = [
            _column(values, kind, optional=name in optional)
            for (name, kind), values in zip(
                columns.items(), zip(*fetched, strict=True), strict=True
            )
        ]
        yield from zip(*read, strict=True)


def _column(values: tuple[Any, ...], kind: type, *, optional: bool) -> Iterable[Any]:
    """Read the values of a column; raises StateCorrupt if one is not of its type."""
    if optional and None in values:
        return [None if value is None else _READERS[kind]((value,))[0] for value in values]
    return _READERS[kind](values)


def _texts(values: tuple[Any, ...]) -> Sequence[str]:
    _require(values, str, "text")
    if max(map(len, values)) < _SHORT:
        return list(map(sys.intern, values))
    return [sys.intern(value) if len(value) < _SHORT else value for value in values]


def _numbers(values: tuple[Any, ...]) -> Sequence[int]:
    _require(values, int, "a whole number")
    return values


def _truths(values: tuple[Any, ...]) -> Sequence[bool]:
    _require(values, int, "0 or 1")
    if not set(values) <= {0, 1}:
        raise unexpected(next(value for value in values if value not in (0, 1)), "0 or 1")
    return list(map(bool, values))


def _moments(values: tuple[Any, ...]) -> Sequence[datetime]:
    known = {text: moment_in(text) for text in set(values)}
    return [known[text] for text in values]


def _require(values: tuple[Any, ...], kind: type, what: str) -> None:
    if set(map(type, values)) != {kind}:
        raise unexpected(next(value for value in values if type(value) is not kind), what)


_READERS: Final[dict[type, Callable[[tuple[Any, ...]], Sequence[Any]]]] = {
    str: _texts, int: _numbers, bool: _truths, datetime: _moments,
}  # fmt: skip
