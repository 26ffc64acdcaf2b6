"""Rows of a query a few at a time, however many there are."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeVar

from reconciler.signals import act_on_signal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy import ColumnElement, Connection, Executable, Row

T = TypeVar("T")

AT_ONCE: Final = 100
"""Rows that are fetched and written at once: few, because a specification can be large."""


def streamed(
    connection: Connection, query: Executable, *, interruptible: bool = False
) -> Iterator[Row[Any]]:
    """Yield the rows of a query, as :func:`portions`."""
    for rows in portions(connection, query, interruptible=interruptible):
        yield from rows


def portions(
    connection: Connection, query: Executable, *, interruptible: bool = False
) -> Iterator[list[Row[Any]]]:
    """Yield the rows of a query some at a time; other statements may be executed in between.

    In PostgreSQL they come through a cursor on the server. If ``interruptible``, a signal that ends the command is
    acted upon between two portions: nothing is to be written in the same transaction.
    """
    options = {"yield_per": AT_ONCE}
    with connection.execute(query, execution_options=options) as result:
        for rows in result.partitions():
            yield list(rows)
            if interruptible:
                act_on_signal()


def write_streamed(
    connection: Connection, statement: Executable, rows: Iterable[dict[str, Any]]
) -> None:
    """Execute a statement for each row."""
    for some in batched(rows, AT_ONCE):
        connection.execute(statement, some)


def batched(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield the values in lists of so many, the last one shorter; as ``itertools.batched`` of Python 3.12."""
    rest = iter(values)
    while some := list(islice(rest, size)):
        yield some


def as_python(connection: Connection, text: ColumnElement[str]) -> ColumnElement[str]:
    """A column of texts to order by as Python does: each database collates text in its own way."""
    return text.collate("BINARY" if connection.dialect.name == "sqlite" else "C")
