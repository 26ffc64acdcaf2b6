"""The rows of a state through SQLAlchemy's core."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, delete, func, insert, select, true, update

from reconciler.state.sql import reading, tables
from reconciler.state.sql.rows import ALL, MANY
from reconciler.state.sql.streaming import streamed, write_streamed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Executable, Select, Table

    from reconciler.model.address import Address
    from reconciler.model.resource import Resource
    from reconciler.model.snapshot import StoredState
    from reconciler.state.specs import Specifications
    from reconciler.state.sql.rows import Columns


class CoreRows:
    """Implements :class:`reconciler.state.sql.rows.Rows` on a connection; ``clock`` is that of leases."""

    def __init__(self, connection: Connection, clock: Callable[[], datetime]) -> None:
        self._connection = connection
        self._clock = clock

    def now(self) -> datetime:
        """The time by which leases expire, in UTC."""
        return self._clock()

    def damage(self) -> str:
        """Nothing: a server checks its own pages."""
        return ""

    def load(
        self,
        like: Mapping[Address, Resource],
        specifications: Specifications | None,
        *,
        only_resources: bool,
    ) -> StoredState:
        """Read the newest revision."""
        return reading.load(self._connection, like, specifications, only_resources=only_resources)

    def single(self, table: str, *, lock: bool = False) -> Any:
        """The only row of a table; raises StateCorrupt if it is gone."""
        return reading.single(self._connection, _table(table), lock=lock)

    def revisions(self, limit: int, until: int | None) -> Iterator[Any]:
        """The rows of the newest revisions up to ``until``."""
        query = select(tables.revisions).order_by(tables.revisions.c.serial.desc()).limit(limit)
        if until is not None:
            query = query.where(tables.revisions.c.serial <= until)
        return iter(self._connection.execute(query))

    def past(self, serial: int, touched_by: int | None) -> Iterator[Any]:
        """Each resource as of a revision."""
        entries = tables.history.c
        newest = select(entries.uid, func.max(entries.serial).label("serial"))
        newest = newest.where(entries.serial <= serial).group_by(entries.uid)
        if touched_by is not None:
            touched = select(entries.uid).where(entries.serial == touched_by)
            newest = newest.where(entries.uid.in_(touched))
        last = newest.subquery()
        query = select(entries.uid, entries.kind, entries.name, entries.spec).join(
            last, and_(entries.uid == last.c.uid, entries.serial == last.c.serial)
        )
        return iter(self._connection.execute(query.order_by(entries.position)))

    def count(self, table: str) -> int:
        """The number of rows."""
        query = select(func.count()).select_from(_table(table))
        found: int = self._connection.execute(query).scalar_one()
        return found

    def select(
        self, table: str, columns: Sequence[str], among: Mapping[str, Collection[Any]] = ALL
    ) -> Iterator[Any]:
        """The columns of the rows whose values are among those given."""
        return iter(self._connection.execute(_selected(table, columns, among)))

    def streamed(
        self, table: str, columns: Sequence[str], among: Mapping[str, Collection[Any]] = ALL
    ) -> Iterator[Any]:
        """The same, a few rows at a time."""
        return streamed(self._connection, _selected(table, columns, among))

    def insert(self, table: str, rows: Iterable[Columns], *, at_once: int = MANY) -> None:
        """Insert rows, so many at a time."""
        self._each(insert(_table(table)), rows, at_once)

    def insert_new(self, table: str, rows: Iterable[Columns]) -> None:
        """Insert the rows whose keys are not there yet."""
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - it takes 20 ms

        self._each(postgresql.insert(_table(table)).on_conflict_do_nothing(), rows)

    def update(self, table: str, values: Columns, where: Mapping[str, Any] = ALL) -> int:
        """Change the rows that have these values; return their number."""
        statement = update(_table(table)).where(_have(table, where)).values(values)
        return self._connection.execute(statement).rowcount

    def update_each(self, table: str, key: str, rows: Iterable[Columns]) -> None:
        """Change a row for each of ``rows``, found by a column whose value stays."""
        rows = list(rows)
        if not rows:
            return
        values: Columns = {name: bindparam(name) for name in rows[0] if name != key}
        statement = update(_table(table)).where(_are(table, (key,))).values(values)
        self._each(statement, [_found_by((key,), row) for row in rows])

    def delete(self, table: str, where: Mapping[str, Any] = ALL) -> None:
        """Delete the rows that have these values."""
        self._connection.execute(delete(_table(table)).where(_have(table, where)))

    def delete_each(self, table: str, rows: Iterable[Columns]) -> None:
        """Delete the rows that have the values of one of ``rows``."""
        rows = list(rows)
        if not rows:
            return
        keys = tuple(rows[0])
        statement = delete(_table(table)).where(_are(table, keys))
        self._each(statement, [_found_by(keys, row) for row in rows])

    def _each(self, statement: Executable, rows: Iterable[Columns], at_once: int = MANY) -> None:
        write_streamed(self._connection, statement, rows, at_once)


_BY = "by_"
"""Before the names of values that rows are found by: SQLAlchemy keeps the bare names for those to be written."""


def _table(name: str) -> Table:
    return tables.metadata.tables[name]


def _selected(
    table: str, columns: Sequence[str], among: Mapping[str, Collection[Any]]
) -> Select[Any]:
    of = _table(table).c
    conditions = [of[name].in_(values) for name, values in among.items()]
    return select(*(of[name] for name in columns)).where(and_(true(), *conditions))


def _have(table: str, where: Mapping[str, Any]) -> ColumnElement[bool]:
    of = _table(table).c
    return and_(true(), *(of[name] == value for name, value in where.items()))


def _are(table: str, keys: Sequence[str]) -> ColumnElement[bool]:
    of = _table(table).c
    return and_(true(), *(of[name] == bindparam(f"{_BY}{name}") for name in keys))


def _found_by(keys: Sequence[str], row: Columns) -> dict[str, Any]:
    return {f"{_BY}{name}" if name in keys else name: value for name, value in row.items()}
