"""The rows of a state for a salvage: from the database if it finds them, else from the file's pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct
from sqlalchemy import column, inspect, literal_column, select, table
from sqlalchemy.exc import DBAPIError, NoSuchTableError

from reconciler.errors import StateCorrupt
from reconciler.state.sql import checking, tables

if TYPE_CHECKING:
    from sqlalchemy import Column, Connection, Table

    from reconciler.state.sqlite_pages import Record, SqlitePages


class TableRows(Struct, frozen=True):
    """Rows by the names of their columns.

    ``problem`` says why some may be missing, and is empty if all are there.
    """

    rows: tuple[dict[str, Any], ...]
    problem: str = ""


class RowSource(Protocol):
    """Finds the rows of a state that may be damaged."""

    problems: tuple[str, ...]
    """The problems of the whole file."""

    def rows(self, of: Table) -> TableRows:
        """The rows of a table that can be found."""
        ...

    def broken_links(self) -> tuple[int, ...]:
        """The revisions that do not match their digest; for a state without losses."""
        ...


class DatabaseRows:
    """The rows that a database finds.

    In a state of an ``older`` release, newer tables and columns are missing.

    ``schema`` is where the tables are; None is the usual place.
    """

    problems: tuple[str, ...] = ()

    def __init__(
        self, connection: Connection, *, older: bool = False, schema: str | None = None
    ) -> None:
        self._connection = connection
        self._older = older
        self._schema = schema

    def rows(self, of: Table) -> TableRows:
        """Query them; rows before an error count."""
        present = self._present(of)
        if not present:
            return TableRows(())
        asked = self._asked(of, present)
        if len(present) == len(of.columns):
            return asked
        added = {item.name: _default(item) for item in of.columns if item.name not in present}
        return TableRows(tuple(_as_migrated({**added, **row}) for row in asked.rows), asked.problem)

    def _present(self, of: Table) -> tuple[str, ...]:
        """The columns of a table that the state has."""
        names = tuple(item.name for item in of.columns)
        if not self._older:
            return names
        try:
            found = inspect(self._connection).get_columns(of.name, schema=self._schema)
        except NoSuchTableError:
            return ()
        return tuple(name for name in names if name in {item["name"] for item in found})

    def _asked(self, of: Table, names: tuple[str, ...]) -> TableRows:
        bare = table(of.name, *(column(name) for name in names), schema=of.schema)
        rows: list[dict[str, Any]] = []
        if self._connection.dialect.name == "sqlite":
            # No savepoint, which SQLite could refuse; its errors do not end the transaction.
            query: Any = select(literal_column("rowid").label("rowid"), bare)
            return _asked(self._connection, query.order_by(literal_column("rowid")), rows)
        with self._connection.begin_nested():
            return _asked(self._connection, select(bare), rows)

    def broken_links(self) -> tuple[int, ...]:
        """Compare the chain with the history; raises StateCorrupt if a required index is damaged."""
        if tables.revisions.c.chain.name not in self._present(tables.revisions):
            return ()
        try:
            return checking.broken_links(self._connection)
        except DBAPIError as error:
            raise StateCorrupt(f"cannot be compared: {_said(error)}") from None


def _as_migrated(row: dict[str, Any]) -> dict[str, Any]:
    """A row as its migration would change it: a failing connector has failed since its last test."""
    if "failing_since" in row and row["failing_since"] is None and not row.get("passed"):
        return {**row, "failing_since": row["at"]}
    return row


def _asked(connection: Connection, query: Any, rows: list[dict[str, Any]]) -> TableRows:
    try:
        for row in connection.execute(query):
            rows.append(dict(row._mapping))  # noqa: SLF001, PERF401 - public so; rows before an error count
    except DBAPIError as error:
        return TableRows(tuple(rows), _said(error))
    return TableRows(tuple(rows))


def _said(error: DBAPIError) -> str:
    return " ".join(str(error.orig).split())[:200]


class FileRows:
    """The rows in a SQLite file: from ``database`` as far as possible, and from its pages.

    ``refused`` is why SQLite does not open the file, if it does not.
    """

    def __init__(
        self, pages: SqlitePages, database: DatabaseRows | None = None, *, refused: str = ""
    ) -> None:
        self._pages = pages
        self._database = database
        self._sorted: dict[str, list[int]] | None = None
        missing = pages.expected - pages.count
        self.problems = (
            *((f"SQLite cannot open it: {refused}",) if refused else ()),
            *((f"{missing} of {pages.expected} pages are missing",) if missing > 0 else ()),
        )
        if refused and not pages.roots:
            self.problems += (
                "the list of its tables cannot be read: rows are recognised by their form",
            )

    @property
    def is_empty(self) -> bool:
        """Whether the pages contain nothing of a state."""
        return not any(self._by_table.values())

    def rows(self, of: Table) -> TableRows:
        """Take the rows that SQLite finds and, if it stops, those in the pages."""
        asked = self._database.rows(of) if self._database is not None else TableRows((), "")
        if self._database is not None and not asked.problem:
            return asked
        found = {item["rowid"]: item for item in asked.rows}
        unread = 0
        for number in self._by_table[of.name]:
            unread += self._pages.damaged_rows(number)
            for row in self._pages.rows(number):
                if row.number not in found and (values := _named(of, row.number, row.values)):
                    found[row.number] = values
        problem = asked.problem or "it is read page by page"
        if unread:
            problem += f"; {unread} of its rows cannot be read"
        return TableRows(tuple(found[number] for number in sorted(found)), problem)

    def broken_links(self) -> tuple[int, ...]:
        """Compare the chain with the history, if SQLite opens the file."""
        return self._database.broken_links() if self._database is not None else ()

    @property
    def _by_table(self) -> dict[str, list[int]]:
        """The pages of each table: those below its root, then those that look like it."""
        if self._sorted is None:
            known = {item.name: item for item in tables.metadata.sorted_tables}
            roots = self._pages.roots
            found = {name: list(self._pages.leaves_below(roots[name])) if name in roots else []
                     for name in known}  # fmt: skip
            reached = {number for name in roots for number in self._pages.leaves_below(roots[name])}
            for number in self._pages.leaves:
                if number not in reached and (name := _recognised(self._pages, number)):
                    found[name].append(number)
            self._sorted = found
        return self._sorted


def _recognised(pages: SqlitePages, number: int) -> str:
    """The table that fits the rows of a page best; "" if none is a state's."""
    best, name = 0, ""
    rows = pages.rows(number)
    for of in tables.metadata.sorted_tables:
        fitting = sum(_fits(of, row.number, row.values) for row in rows)
        if fitting > best:
            best, name = fitting, of.name
    return name


def _fits(of: Table, number: int, record: Record) -> bool:
    values = _named(of, number, record)
    return values is not None and not any(
        checking.value_problem(of, item, values[item.name]) for item in of.columns
    )


def _named(of: Table, number: int, record: Record) -> dict[str, Any] | None:
    """A record by the names of the columns; None if it has too many values or too few."""
    columns = tuple(of.columns)
    later = columns[len(record) :]
    if len(record) > len(columns) or any(_default(item) is _NOTHING for item in later):
        return None
    values = dict(zip((item.name for item in columns), record, strict=False))
    values |= {item.name: _default(item) for item in later}
    (*keys,) = of.primary_key
    if len(keys) == 1 and values[keys[0].name] is None:  # the number of the row is the key
        values[keys[0].name] = number
    return _as_migrated(values)


_NOTHING = object()


def _default(of: Column[Any]) -> Any:
    """The value of a row in a column that was added later."""
    if of.server_default is not None:
        return str(getattr(of.server_default, "arg", ""))
    return None if of.nullable else _NOTHING
