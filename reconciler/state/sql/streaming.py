"""Streams the rows of a query in portions."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeVar

from reconciler.signals import act_on_signal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy import ColumnElement, Connection, Executable, Row

T = TypeVar("T")

AT_ONCE: Final = 100
"""The number of rows to fetch and write at once: few, because a specification can be large."""


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

    In PostgreSQL they come through a cursor on the server. If ``interruptible``, a signal that ends the
    command takes effect between two portions: do not write in the same transaction.
    """
    options = {"yield_per": AT_ONCE}
    with connection.execute(query, execution_options=options) as result:
        for rows in result.partitions():
            yield list(rows)
            if interruptible:
                act_on_signal()


def write_streamed(
    connection: Connection,
    statement: Executable,
    rows: Iterable[dict[str, Any]],
    at_once: int = AT_ONCE,
) -> None:
    """Execute a statement for each row, ``at_once`` at a time."""
    for some in batched(rows, at_once):
        connection.execute(statement, some)


def batched(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield the values in batches, the last one shorter, like ``itertools.batched`` of Python 3.12."""
    rest = iter(values)
    while some := list(islice(rest, size)):
        yield some


def as_python(connection: Connection, text: ColumnElement[str]) -> ColumnElement[str]:
    """A text column in Python's sort order: each database collates text in its own way."""
    return text.collate("BINARY" if connection.dialect.name == "sqlite" else "C")
