"""Computes the chain of digests from the stored history."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from sqlalchemy import column, select, table

from reconciler.state.chain import OF_ENTRY, OF_REVISION, link
from reconciler.state.sql.streaming import streamed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection


def links(connection: Connection) -> Iterator[tuple[int, str]]:
    """Compute the digest of every revision from its rows, oldest first."""
    revisions = table("revisions", *map(column, OF_REVISION))
    history = table("history", *map(column, ("serial", *OF_ENTRY)))
    rows = streamed(connection, select(history).order_by(history.c.serial, history.c.position))
    groups = groupby(rows, lambda row: row.serial)
    group = next(groups, None)
    before = ""
    for row in streamed(connection, select(revisions).order_by(revisions.c.serial)):
        while group is not None and group[0] < row.serial:  # of a revision that is missing
            group = next(groups, None)
        mine = group[1] if group is not None and group[0] == row.serial else ()
        entries = (dict(item._mapping) for item in mine)  # noqa: SLF001 - public so
        before = link(before, dict(row._mapping), entries)  # noqa: SLF001 - likewise
        yield row.serial, before
