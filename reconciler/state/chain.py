"""The chain of digests over the history: each revision's holds the one before it.

Changing, removing or inserting a revision requires changing every later digest too. So a digest that
was noted elsewhere, such as in the log of a pipeline, proves everything up to it. The digested form
never changes: a new one would need its own column.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import column, select, table

from reconciler.model.resource import canonical_json
from reconciler.state.sql.streaming import streamed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sqlalchemy import Connection

_OF_REVISION: Final = (
    "serial", "at", "actor", "actor_source", "git_commit", "tool_version", "plan_digest", "added",
    "changed", "destroyed", "note",
)  # fmt: skip
_OF_ENTRY: Final = (
    "position", "uid", "kind", "name", "action", "spec", "renamed_from",
)  # fmt: skip


def link(before: str, revision: Mapping[str, Any], entries: Iterable[Mapping[str, Any]]) -> str:
    """The digest over a revision's row, its entries in the history, and the digest before it.

    It is that of the canonical JSON of a list of the three, computed one entry at a time: a first apply
    can have many.
    """
    row = [_plain(name, revision[name]) for name in _OF_REVISION]
    made = hashlib.sha256(canonical_json([before, row]).removesuffix("]").encode())
    separator = ",["
    for item in entries:
        made.update((separator + canonical_json([item[name] for name in _OF_ENTRY])).encode())
        separator = ","
    made.update(b",[]]" if separator == ",[" else b"]]")
    return f"sha256:{made.hexdigest()}"


def links(connection: Connection) -> Iterator[tuple[int, str]]:
    """Compute the digest of every revision from its rows, oldest first."""
    revisions = table("revisions", *map(column, _OF_REVISION))
    history = table("history", *map(column, ("serial", *_OF_ENTRY)))
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


def _plain(name: str, value: Any) -> Any:
    """A value in its digested form: each database has its own type for moments."""
    if name != "at":
        return value
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
