"""The part of a SQLite state that sending one mail needs, with the driver alone.

Loading SQLAlchemy takes longer than everything else that `sendmail` does before it connects. As in
:mod:`reconciler.state.sqlite_reader`, anything that is not exactly as an apply leaves it is left to the
full store, which reports it; so is a file that another process is writing to.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

from reconciler.state import routing_rows, sqlite_file
from reconciler.state.sqlite_reader import attempt, select
from reconciler.state.sqlite_values import marks, to_sqlite
from reconciler.values import members

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from reconciler.model.address import Kind
    from reconciler.model.sending import SendingRecord
    from reconciler.model.snapshot import StoredState
    from reconciler.routing.excerpt import RoutingExcerpt
    from reconciler.routing.keys import RoutingNeeds
    from reconciler.state.base import MailState, NamedRevision, StateStore

T = TypeVar("T")


class SqliteMailState:
    """Implements :class:`reconciler.state.base.MailState` on a file; ``open_whole`` opens the full store."""

    def __init__(self, path: Path, open_whole: Callable[[], StateStore]) -> None:
        self._path = path
        self._open_whole = open_whole
        self._opened: StateStore | None = None

    def migrate(self) -> bool:
        """Migrate a state of an older release to this one."""
        is_current = self._read(lambda _: True)
        return False if is_current else self._whole.migrate()

    def revisions(self, *, limit: int) -> Sequence[NamedRevision]:
        """The newest revisions, newest first."""
        newest = self._read(_newest) if limit == 1 else None
        return (newest,) if newest is not None else self._whole.revisions(limit=limit)

    def load(self) -> StoredState:
        """Read the newest revision as a whole."""
        return self._whole.load()

    def routing(self, needs: RoutingNeeds) -> RoutingExcerpt | None:
        """Read what the routing of one mail needs; None if it cannot be found by keys."""
        found = self._read(
            lambda connection: routing_rows.excerpt(SqliteRoutingRows(connection), needs)
        )
        return found if found is not None else self._whole.routing(needs)

    def record_sent(self, record: SendingRecord) -> None:
        """Add one attempt to send to the audit."""
        add = partial(_add, record=record)
        if not (self._opened is None and attempt(self._path, _open_to_add, "BEGIN IMMEDIATE", add)):
            self._whole.record_sent(record)

    def close(self) -> None:
        """Close the full store, if it was needed."""
        if self._opened is not None:
            self._opened.close()

    def _read(self, look: Callable[[sqlite3.Connection], T]) -> T | None:
        """The driver's result; None once the full store was needed."""
        if self._opened is not None:
            return None
        return attempt(self._path, sqlite_file.open_to_read, "BEGIN", look)

    @property
    def _whole(self) -> MailState:
        if self._opened is None:
            self._opened = self._open_whole()
        return self._opened


class SqliteRoutingRows:
    """Implements :class:`reconciler.state.routing_rows.RoutingRows`.

    Raises TypeError for a value of the wrong type.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def newest(self) -> tuple[int, str] | None:
        """The serial and the digest of the plan of the newest revision."""
        found = _newest(self._connection)
        return None if found is None else (found.serial, found.plan_digest)

    def edition(self) -> str:
        """The edition of the keys."""
        (meta,) = select(self._connection, "meta")
        return _text(meta.routing)

    def resources(self, names: Mapping[Kind, list[str]]) -> Iterable[tuple[str, str, str, str]]:
        """The kind, name, specification and digest of the resources of these names."""
        here = " OR ".join(
            f"(kind = ? AND name IN ({marks(len(these))}))" for these in names.values()
        )
        query = f"SELECT kind, name, spec, digest FROM resources WHERE {here}"  # noqa: S608 - marks
        values = [text for kind, these in names.items() for text in (kind.value, *these)]
        return self._four_texts(query, values)

    def holders(
        self, kind: Kind, role: str, texts: list[str]
    ) -> Iterable[tuple[str, str, str, str]]:
        """The name and uid of the resources of a kind that have one of the keys; the key, and its mark."""
        query = (
            "SELECT resources.name, routing_keys.uid, routing_keys.key, routing_keys.mark"  # noqa: S608 - marks
            " FROM routing_keys JOIN resources ON resources.uid = routing_keys.uid"
            f" WHERE routing_keys.role = ? AND routing_keys.key IN ({marks(len(texts))})"
            " AND resources.kind = ?"
        )
        return self._four_texts(query, [role, *texts, kind.value])

    def holder_of_any(self, role: str, key: str) -> tuple[str, str] | None:
        """The uid of a resource that has a key, and the key's mark."""
        query = "SELECT uid, mark FROM routing_keys WHERE role = ? AND key = ? LIMIT 1"
        row = self._connection.execute(query, (role, key)).fetchone()
        return None if row is None else (_text(row[0]), _text(row[1]))

    def _four_texts(self, query: str, values: list[str]) -> list[tuple[str, str, str, str]]:
        return [
            (_text(one), _text(two), _text(three), _text(four))
            for one, two, three, four in self._connection.execute(query, values)
        ]


def _text(value: object) -> str:
    if type(value) is not str:
        raise TypeError
    return value


def _newest(connection: sqlite3.Connection) -> NamedRevision | None:
    # Read all of it, so that damage is noticed.
    return next(select(connection, "revisions", " ORDER BY serial DESC LIMIT 1"), None)


def _open_to_add(path: Path) -> sqlite3.Connection:
    # NORMAL and not FULL: with a write-ahead log, only a power cut can lose the newest additions.
    connection = sqlite_file.open_to_write(path, synchronous="NORMAL")
    connection.execute("PRAGMA busy_timeout = 0")
    return connection


def _add(connection: sqlite3.Connection, record: SendingRecord) -> bool:
    values = members(record)
    values["result"] = record.result.value
    values["copy"] = str(record.copy)
    query = f"INSERT INTO sent ({', '.join(values)}) VALUES ({marks(len(values))})"  # noqa: S608 - fields of ours
    connection.execute(query, list(map(to_sqlite, values.values())))
    connection.execute("COMMIT")
    return True
