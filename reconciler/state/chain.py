"""The chain of digests over the history: each revision's holds the one before it.

Changing, removing or inserting a revision requires changing every later digest too. So a digest that
was noted elsewhere, such as in the log of a pipeline, proves everything up to it. The digested form
never changes: a new one would need its own column.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from reconciler.model.resource import canonical_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

OF_REVISION: Final = (
    "serial", "at", "actor", "actor_source", "git_commit", "tool_version", "plan_digest", "added",
    "changed", "destroyed", "note",
)  # fmt: skip
"""The columns of a revision that are digested."""

OF_ENTRY: Final = (
    "position", "uid", "kind", "name", "action", "spec", "renamed_from",
)  # fmt: skip
"""The columns of an entry in the history that are digested."""


def link(before: str, revision: Mapping[str, Any], entries: Iterable[Mapping[str, Any]]) -> str:
    """The digest over a revision's row, its entries in the history, and the digest before it.

    It is that of the canonical JSON of a list of the three, computed one entry at a time: a first apply
    can have many.
    """
    row = [_plain(name, revision[name]) for name in OF_REVISION]
    made = hashlib.sha256(canonical_json([before, row]).removesuffix("]").encode())
    separator = ",["
    for item in entries:
        made.update((separator + canonical_json([item[name] for name in OF_ENTRY])).encode())
        separator = ","
    made.update(b",[]]" if separator == ",[" else b"]]")
    return f"sha256:{made.hexdigest()}"


def _plain(name: str, value: Any) -> Any:
    """A value in its digested form: each database has its own type for moments."""
    if name != "at":
        return value
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
