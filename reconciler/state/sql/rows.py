"""The port behind what an apply reads and writes: the rows of a state within one transaction.

There are two: SQLite's driver alone, since loading SQLAlchemy takes 0.2 s, and SQLAlchemy for PostgreSQL. What is written,
and in which order, is said once, over this port.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from reconciler.model.address import Address
    from reconciler.model.resource import Resource
    from reconciler.model.snapshot import StoredState
    from reconciler.state.specs import Specifications

Columns: TypeAlias = dict[str, Any]
"""Values by the name of their column. Moments have a time zone."""

ALL: Final[Mapping[str, Any]] = MappingProxyType({})
"""Selects every row."""

MANY: Final = 1000
"""The number of rows to write at once that are in memory anyway."""


class Rows(Protocol):
    """The rows of the tables, by the names of tables and columns in :mod:`reconciler.state.sql.tables`.

    Values are as in Python. Raises StateCorrupt for a stored value of the wrong type.
    """

    def now(self) -> datetime:
        """The time by which leases expire, in UTC."""
        ...

    def damage(self) -> str:
        """What is wrong with the file, by a quick check; "" if nothing is, or if a server looks after it."""
        ...

    def load(
        self,
        like: Mapping[Address, Resource],
        specifications: Specifications | None,
        *,
        only_resources: bool,
    ) -> StoredState:
        """Read the newest revision; resources that equal those of ``like`` are those."""
        ...

    def single(self, table: str, *, lock: bool = False) -> Any:
        """The only row of a table, its columns as attributes, locked against other writers on demand.

        Raises StateCorrupt if it is gone.
        """
        ...

    def revisions(self, limit: int, until: int | None) -> Iterator[Any]:
        """The rows of the newest revisions up to ``until``, newest first, their columns as attributes."""
        ...

    def past(self, serial: int, touched_by: int | None) -> Iterator[Any]:
        """The uid, kind, name and specification of each resource as of a revision, None for one that was gone.

        On request only those that the revision ``touched_by`` touched.
        """
        ...

    def count(self, table: str) -> int:
        """The number of rows."""
        ...

    def select(
        self, table: str, columns: Sequence[str], among: Mapping[str, Collection[Any]] = ALL
    ) -> Iterator[Any]:
        """The columns of the rows whose values are among those given for each column."""
        ...

    def streamed(
        self, table: str, columns: Sequence[str], among: Mapping[str, Collection[Any]] = ALL
    ) -> Iterator[Any]:
        """The same, a few rows at a time; other statements may be executed in between."""
        ...

    def insert(self, table: str, rows: Iterable[Columns], *, at_once: int = MANY) -> None:
        """Insert rows, so many at a time that a server need not wait long.

        PostgreSQL ends a transaction whose client prepares tens of thousands of rows before it sends one.
        """
        ...

    def insert_new(self, table: str, rows: Iterable[Columns]) -> None:
        """Insert the rows whose keys are not there yet."""
        ...

    def update(self, table: str, values: Columns, where: Mapping[str, Any] = ALL) -> int:
        """Change the rows that have these values; return their number."""
        ...

    def update_each(self, table: str, key: str, rows: Iterable[Columns]) -> None:
        """Change a row for each of ``rows``, found by a column whose value stays."""
        ...

    def delete(self, table: str, where: Mapping[str, Any] = ALL) -> None:
        """Delete the rows that have these values."""
        ...

    def delete_each(self, table: str, rows: Iterable[Columns]) -> None:
        """Delete the rows that have the values of one of ``rows``, which all name the same columns."""
        ...
