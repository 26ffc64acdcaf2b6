"""Changes that are alike: the same fields of many resources of one kind change in the same way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reconciler.model.address import Address, Kind
from reconciler.model.connector import Connector
from reconciler.model.resource import JSON, canonical_json
from reconciler.plan.changes import Change, FieldChange, Update

if TYPE_CHECKING:
    from collections.abc import Iterable

FEWEST: Final = 3
"""The smallest number of changes that makes a group; fewer are listed one by one."""


@dataclass(frozen=True, slots=True)
class AlikeChanges:
    """Updates of the same fields.

    ``provider`` is the one that they share, if they are connectors.
    """

    kind: Kind
    fields: tuple[FieldChange, ...]
    addresses: tuple[Address, ...]
    provider: str | None = None


def alike(changes: Iterable[Change]) -> tuple[AlikeChanges, ...]:
    """Group the updates that are alike, each group at the place of its first."""
    found: dict[tuple[Kind, str], list[Update]] = {}
    for change in changes:
        if isinstance(change, Update):
            values: list[JSON] = [[item.path, item.before, item.after] for item in change.fields]
            found.setdefault((change.address.kind, canonical_json(values)), []).append(change)
    return tuple(
        AlikeChanges(
            kind,
            group[0].fields,
            tuple(item.address for item in group),
            _provider(group),
        )
        for (kind, _), group in found.items()
        if len(group) >= FEWEST
    )


def _provider(group: list[Update]) -> str | None:
    names = {item.after.provider for item in group if isinstance(item.after, Connector)}
    return next(iter(names)) if len(names) == 1 else None
