"""Writing the lookup keys for one mail's connectors and groups, with every revision.

They follow from the resources, whose specifications are checked by their digests when they are read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from reconciler.model.address import Kind
from reconciler.routing import keys
from reconciler.state import specs
from reconciler.state.routing_rows import AT_ONCE, bounded, mark_of
from reconciler.state.sql import streaming
from reconciler.state.sql.streaming import batched

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.model.resource import Resource
    from reconciler.state.sql.rows import Rows

KINDS: Final = (Kind.EMAIL_CONNECTOR.value, Kind.GROUP.value)
"""The kinds of resources that are found by keys."""

_TABLE: Final = "routing_keys"


def write(
    rows: Rows,
    created: Mapping[str, Resource],
    changed: Mapping[str, Resource],
    *,
    all_new: bool,
) -> None:
    """Write the keys of resources by their uids; those of deleted ones are gone with them.

    ``all_new`` says that there are no other resources than those that were created.
    """
    stored = rows.single("meta").routing
    touched = {**created, **changed}
    if not keys.is_readable(stored):
        if not all_new:
            rebuild(rows)
            return
        rows.delete(_TABLE)
        stored = keys.edition(lasting=True)
        _note_edition(rows, lasting=True)
    if stored == keys.edition(lasting=True) and not all(
        map(keys.has_lasting_keys, touched.values())
    ):
        _note_edition(rows, lasting=False)
    before: dict[str, set[tuple[str, str]]] = {}
    for uids in batched(changed, AT_ONCE):
        for uid, role, key in rows.select(_TABLE, ("uid", "role", "key"), {"uid": uids}):
            before.setdefault(uid, set()).add((role, key))
    gone, new = [], []
    for uid, resource in touched.items():
        after, known = kept(resource), before.get(uid, set())
        gone += [{"uid": uid, "role": role, "key": key} for role, key in known - after]
        new += [_row(uid, role, key) for role, key in after - known]
    rows.delete_each(_TABLE, gone)
    rows.insert(_TABLE, new)


def rebuild(rows: Rows) -> None:
    """Rewrite all keys; raises StateCorrupt if a resource cannot be read back."""
    rows.single("meta", lock=True)
    rows.delete(_TABLE)
    lasting = True

    def written() -> Iterator[dict[str, Any]]:
        nonlocal lasting
        columns = ("uid", "kind", "name", "spec", "digest")
        for uid, kind, name, spec, digest in rows.streamed("resources", columns, {"kind": KINDS}):
            resource = specs.decode(specs.address_of(kind, name), spec, digest)
            lasting = lasting and keys.has_lasting_keys(resource)
            yield from (_row(uid, role, key) for role, key in kept(resource))

    rows.insert(_TABLE, written(), at_once=streaming.AT_ONCE)
    _note_edition(rows, lasting=lasting)


def kept(resource: Resource) -> set[tuple[str, str]]:
    """The roles and texts of the keys that a resource is found by, as they are stored."""
    return {(role.value, bounded(text)) for role, text in keys.keys_of(resource)}


def _row(uid: str, role: str, key: str) -> dict[str, Any]:
    return {"uid": uid, "role": role, "key": key, "mark": mark_of(uid, role, key)}


def _note_edition(rows: Rows, *, lasting: bool) -> None:
    rows.update("meta", {"routing": keys.edition(lasting=lasting)})
