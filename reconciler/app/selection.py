"""Selects the connectors of a command by name, shell pattern, label, status and shard."""

from __future__ import annotations

from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.config.suggest import did_you_mean
from reconciler.errors import UsageError
from reconciler.model.connector import Connector
from reconciler.wording import TO_ACT_ON, listed

if TYPE_CHECKING:
    from reconciler.model.snapshot import StoredResource, StoredState
    from reconciler.plan.inputs import Desired
    from reconciler.probe.shard import Shard


class SelectBy(StrEnum):
    """All connectors, those that an apply would test, or those whose stored status is failing."""

    ALL = "all"
    CHANGED = "changed"
    FAILING = "failing"

    @property
    def needs_state(self) -> bool:
        """Whether the selection depends on the stored state."""
        return self is not SelectBy.ALL


class Selection(Struct, frozen=True, kw_only=True):
    """Criteria for connectors, all of which must match: name or pattern, label, state and shard."""

    names: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    which: SelectBy = SelectBy.ALL
    shard: Shard | None = None

    def matches(self, connector: Connector) -> bool:
        """Whether a connector has one of the names and all of the labels."""
        return (
            not self.names or any(fnmatchcase(connector.name, name) for name in self.names)
        ) and all(label in connector.labels for label in self.labels)


EVERYTHING = Selection()
"""Selects everything."""


def named_connector(desired: Desired, name: str) -> Connector:
    """The connector of that name in the configuration; raises UsageError with the nearest name."""
    connector = desired.snapshot.connector(name)
    if connector is None:
        known = [item.name for item in desired.snapshot.connectors]
        raise UsageError(f"there is no connector {name}", hint=did_you_mean(name, known))
    return connector


def select(
    connectors: tuple[Connector, ...], selection: Selection, *, what: str = "connector"
) -> tuple[Connector, ...]:
    """Choose connectors to test by name, label and shard; drafts are never tested.

    Raises UsageError for a name, pattern or label that matches none, since a typo must not look
    like a passed test; ``what`` is the message's word for them. A shard may be empty.
    """
    testable = tuple(item for item in connectors if not item.draft)
    for pattern in selection.names:
        if not any(fnmatchcase(item.name, pattern) for item in testable):
            draft = any(fnmatchcase(item.name, pattern) for item in connectors)
            names = [item.name for item in testable]
            raise UsageError(
                f"no {what} matches {pattern}"
                + (" but drafts, which are never tested" if draft else ""),
                hint=did_you_mean(pattern, names) or f"There are: {listed(names, TO_ACT_ON)}.",
            )
    chosen = tuple(item for item in testable if selection.matches(item))
    if selection.labels and not chosen:
        raise UsageError(f"no {what} has the labels {', '.join(selection.labels)}")
    shard = selection.shard
    return chosen if shard is None else tuple(item for item in chosen if shard.takes(item.name))


def list_stored(
    state: StoredState, selection: Selection, status: str | None
) -> tuple[StoredResource, ...]:
    """Choose stored connectors to list, drafts included, by name, label and status; possibly none."""
    return tuple(
        item
        for item in state.resources
        if isinstance(item.resource, Connector)
        and selection.matches(item.resource)
        and (status is None or item.status == status)
    )
