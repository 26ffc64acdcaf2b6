"""Refuses an empty scope, most likely a typo."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.config.suggest import did_you_mean
from reconciler.errors import UsageError
from reconciler.model.connector import Connector
from reconciler.plan.scope import Scope, chosen_by, matches
from reconciler.wording import TO_ACT_ON, listed

if TYPE_CHECKING:
    from reconciler.model.snapshot import StoredState
    from reconciler.plan.inputs import Desired


def refuse_empty_scope(scope: Scope, desired: Desired, current: StoredState) -> None:
    """Raise UsageError for a pattern, label or kind without a match in configuration or state."""
    if scope.is_whole:
        return
    resources = {
        item.address: item for item in (*current.snapshot.resources, *desired.snapshot.resources)
    }
    for pattern in scope.patterns:
        if not any(matches(pattern, address) for address in resources):
            known = sorted({item.name for item in resources} | set(map(str, resources)))
            raise UsageError(
                f"nothing matches --only {pattern}",
                hint=did_you_mean(pattern, known)
                or "A pattern is for the name of a connector, or for an address such as 'Group.*'.",
            )
    connectors = [item for item in resources.values() if isinstance(item, Connector)]
    for label in scope.labels:
        if not any(label in item.labels for item in connectors):
            labels = sorted({text for item in connectors for text in item.labels})
            raise UsageError(
                f"no connector has the label {label}",
                hint=did_you_mean(label, labels) or f"The labels are: {listed(labels, TO_ACT_ON)}.",
            )
    if resources and not chosen_by(scope, desired.snapshot, current.snapshot):
        raise UsageError(f"nothing matches {scope}", hint="Each option narrows the others down.")
