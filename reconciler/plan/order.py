"""The order of changes: what others rest on comes first, and deletes go the other way round."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.address import Kind
from reconciler.plan.changes import Change, Delete, Forget, RotateSecret

if TYPE_CHECKING:
    from collections.abc import Iterable

_RANK = {kind: rank for rank, kind in enumerate(Kind)}


def ordered(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Providers, groups, roles, connectors, permissions, policy; then deletes in reverse.

    Within a kind by name, and a rotation after the update of its connector.
    """
    every = tuple(changes)
    deletes = [change for change in every if isinstance(change, Delete | Forget)]
    others = [change for change in every if not isinstance(change, Delete | Forget)]
    others.sort(key=lambda item: (*_key(item), isinstance(item, RotateSecret)))
    deletes.sort(key=lambda item: (-_key(item)[0], item.address.name))
    return (*others, *deletes)


def _key(change: Change) -> tuple[int, str]:
    return _RANK[change.address.kind], change.address.name
