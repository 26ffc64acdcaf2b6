"""The difference of two moments of the past, in the words of a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.resource import Resource, spec_of
from reconciler.plan.changes import Change, Create, Delete, Rename, RotateSecret, Update
from reconciler.plan.diff import field_changes
from reconciler.plan.order import ordered

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

    from reconciler.model.address import Address

_NONE: frozenset[Address] = frozenset()


def changes_between(
    before: Mapping[str, Resource],
    after: Mapping[str, Resource],
    rotated: AbstractSet[Address] = _NONE,
) -> tuple[Change, ...]:
    """Every change that leads from one to the other, in the order of a plan.

    Both are by uid, which is what tells a rename. What was deleted and came again under its address
    counts as updated. ``rotated`` are connectors, by their address afterwards, that got another
    secret; which of their references it was is not known of the past.
    """
    gone = {item.address: item for uid, item in before.items() if uid not in after}
    changes: list[Change] = []
    for uid, resource in after.items():
        origin = before.get(uid) or gone.pop(resource.address, None)
        if origin is None:
            changes.append(Create(resource))
        elif origin != resource:
            fields = field_changes(spec_of(origin), spec_of(resource))
            change = Update if origin.address == resource.address else Rename
            changes.append(change(origin, resource, fields))
        if resource.address in rotated:
            changes.append(RotateSecret(resource, ()))
    changes.extend(Delete(item) for item in gone.values())
    return ordered(changes)
