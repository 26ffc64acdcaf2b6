"""The rows of a SQLite state through Python's driver alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from reconciler.state import decoding, sqlite_reader
from reconciler.state.sql.rows import ALL, MANY
from reconciler.state.sql.streaming import batched
from reconciler.state.sqlite_values import marks, to_sqlite

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from reconciler.model.address import Address
    from reconciler.model.resource import Resource
    from reconciler.model.snapshot import StoredState
    from reconciler.state.specs import Specifications
    from reconciler.state.sql.rows import Columns


class DriverRows:
    """Implements :class:`reconciler.state.sql.rows.Rows` on a connection; ``clock`` is that of leases."""

    def __init__(self, connection: sqlite3.Connection, clock: Callable[[], datetime]) -> None:
        self._connection = connection
        self._clock = clock

    def now(self) -> datetime:
        """The time by which leases expire, in UTC."""
        return self._clock()

    def damage(self) -> str:
        """What a quick check finds wrong with the pages of the file; "" if nothing is."""
        found = self._connection.execute("PRAGMA quick_check(1)").fetchall()
        return next((str(said) for (said,) in found if said != "ok"), "")

    def load(
        self,
        like: Mapping[Address, Resource],
        specifications: Specifications | None,
        *,
        only_resources: bool,
    ) -> StoredState:
        """Read the newest revision."""
        return sqlite_reader.everything(
            self._connection, like, specifications, only_resources=only_resources
        )

    def single(self, table: str, *, lock: bool = False) -> Any:  # noqa: ARG002 - a transaction that writes is alone
        """The only row of a table; raises StateCorrupt if it is gone."""
        row = next(sqlite_reader.select(self._connection, table), None)
        if row is None:
            raise decoding.lacks_row(table)
        return row

    def revisions(self, limit: int, until: int | None) -> Iterator[Any]:
        """The rows of the newest revisions up to ``until``."""
        newest = " WHERE serial <= ?" if until is not None else ""
        newest += " ORDER BY serial DESC LIMIT ?"
        given = (limit,) if until is None else (until, limit)
        return sqlite_reader.select(self._connection, "revisions", newest, given)

    def past(self, serial: int, touched_by: int | None) -> Iterator[Any]:
        """Each resource as of a revision."""
        given = (serial,) if touched_by is None else (serial, touched_by)
        query = _PAST.format(among=_TOUCHED if touched_by is not None else "")
        return sqlite_reader.rows(
            self._connection, query, _OF_PAST, given, optional=frozenset({"spec"})
        )

    def count(self, table: str) -> int:
        """The number of rows."""
        found: int = self._connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 - a name of ours
        return found

    def select(
        self, table: str, columns: Sequence[str], among: Mapping[str, Collection[Any]] = ALL
    ) -> Iterator[Any]:
        """The columns of the rows whose values are among those given."""
        return self.streamed(table, columns, among)

    def streamed(
        self, table: str, columns: Sequence[str], among: Mapping[str, Collection[Any]] = ALL
    ) -> Iterator[Any]:
        """The same, a few rows at a time."""
        kinds = sqlite_reader.COLUMNS[table]
        conditions = [f"{name} IN ({marks(len(values))})" for name, values in among.items()]
        query = f"SELECT {', '.join(columns)} FROM {table}{_where(conditions)}"  # noqa: S608 - names of ours, and marks
        given = [to_sqlite(value) for values in among.values() for value in values]
        return sqlite_reader.rows(
            self._connection, query, {name: kinds[name] for name in columns}, given
        )

    def insert(self, table: str, rows: Iterable[Columns], *, at_once: int = MANY) -> None:
        """Insert rows, so many at a time."""
        self._insert(table, rows, "", at_once)

    def insert_new(self, table: str, rows: Iterable[Columns]) -> None:
        """Insert the rows whose keys are not there yet."""
        self._insert(table, rows, " ON CONFLICT DO NOTHING", MANY)

    def update(self, table: str, values: Columns, where: Mapping[str, Any] = ALL) -> int:
        """Change the rows that have these values; return their number."""
        statement = f"UPDATE {table} SET {_given(values)}{_having(where)}"  # noqa: S608 - names of ours
        given = [to_sqlite(value) for value in (*values.values(), *where.values())]
        return self._connection.execute(statement, given).rowcount

    def update_each(self, table: str, key: str, rows: Iterable[Columns]) -> None:
        """Change a row for each of ``rows``, found by a column whose value stays."""
        for some in batched(rows, MANY):
            names = [name for name in some[0] if name != key]
            statement = f"UPDATE {table} SET {_given(names)} WHERE {key} = ?"  # noqa: S608 - likewise
            self._connection.executemany(statement, _values(some, (*names, key)))

    def delete(self, table: str, where: Mapping[str, Any] = ALL) -> None:
        """Delete the rows that have these values."""
        given = list(map(to_sqlite, where.values()))
        self._connection.execute(f"DELETE FROM {table}{_having(where)}", given)  # noqa: S608 - likewise

    def delete_each(self, table: str, rows: Iterable[Columns]) -> None:
        """Delete the rows that have the values of one of ``rows``."""
        for some in batched(rows, MANY):
            names = tuple(some[0])
            statement = f"DELETE FROM {table}{_having(names)}"  # noqa: S608 - likewise
            self._connection.executemany(statement, _values(some, names))

    def _insert(self, table: str, rows: Iterable[Columns], conflict: str, at_once: int) -> None:
        for some in batched(rows, at_once):
            names = tuple(some[0])
            statement = (
                f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks(len(names))}){conflict}"  # noqa: S608 - likewise
            )
            self._connection.executemany(statement, _values(some, names))


_PAST: Final = """
    SELECT entries.uid, entries.kind, entries.name, entries.spec
    FROM history AS entries JOIN (
        SELECT uid, max(serial) AS serial FROM history WHERE serial <= ?{among} GROUP BY uid
    ) AS newest ON newest.uid = entries.uid AND newest.serial = entries.serial
    ORDER BY entries.position"""
_TOUCHED: Final = " AND uid IN (SELECT uid FROM history WHERE serial = ?)"
_OF_PAST: Final = {"uid": str, "kind": str, "name": str, "spec": str}


def _values(rows: list[Columns], names: Sequence[str]) -> Iterator[list[Any]]:
    return ([to_sqlite(row[name]) for name in names] for row in rows)


def _where(conditions: list[str]) -> str:
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def _having(names: Iterable[str]) -> str:
    return _where([f"{name} = ?" for name in names])


def _given(names: Iterable[str]) -> str:
    return ", ".join(f"{name} = ?" for name in names)
