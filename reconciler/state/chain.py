"""The chain of digests over the history: each revision's holds the one before it.

Whoever changes, removes or inserts a revision must change every digest after it too. So a digest
that was noted elsewhere, such as in the log of a pipeline, proves everything up to it. The digested
form never changes: a new one would need a column of its own.
"""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import column, select, table

from reconciler.model.resource import digest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import Connection

_OF_REVISION: Final = (
    "serial", "at", "actor", "actor_source", "git_commit", "tool_version", "plan_digest", "added",
    "changed", "destroyed", "note",
)  # fmt: skip
_OF_ENTRY: Final = (
    "position", "uid", "kind", "name", "action", "spec", "renamed_from",
)  # fmt: skip


def link(before: str, revision: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> str:
    """The digest over a revision's row, its entries in the history, and the digest before it."""
    row = [_plain(name, revision[name]) for name in _OF_REVISION]
    return digest([before, row, [[item[name] for name in _OF_ENTRY] for item in entries]])


def links(connection: Connection) -> Iterator[tuple[int, str]]:
    """Work out the digest of every revision from its rows, oldest first."""
    revisions = table("revisions", *map(column, _OF_REVISION))
    history = table("history", *map(column, ("serial", *_OF_ENTRY)))
    entries = {
        serial: [dict(item._mapping) for item in group]  # noqa: SLF001 - public so
        for serial, group in groupby(
            connection.execute(select(history).order_by(history.c.serial, history.c.position)),
            lambda row: row.serial,
        )
    }
    before = ""
    for row in connection.execute(select(revisions).order_by(revisions.c.serial)).all():
        before = link(before, dict(row._mapping), entries.get(row.serial, ()))  # noqa: SLF001 - as above
        yield row.serial, before


def _plain(name: str, value: Any) -> Any:
    """A value in its digested form: each database has its own type for moments."""
    if name != "at":
        return value
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
