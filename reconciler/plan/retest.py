"""Which connectors an apply of a plan tests first, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.model.address import Kind
from reconciler.model.connector import TESTED_FIELDS, Connector
from reconciler.model.policy import GlobalSmtpPolicy
from reconciler.model.snapshot import Status
from reconciler.plan.changes import Change, Create, Delete, Forget, RotateSecret, Update
from reconciler.plan.diff import connector_renames

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from reconciler.model.snapshot import Snapshot, StoredState


class ToTest(Struct, frozen=True):
    """A connector to test, and the reason."""

    connector: str
    reason: str


def to_test(
    changes: tuple[Change, ...], configured: Snapshot, current: StoredState
) -> tuple[ToTest, ...]:
    """New connectors, and those in which a field that a connection uses has changed.

    The connector that a changed policy forces everybody through comes first. Untouched connectors
    are not tested, so that they cannot stop the changes. If nothing changes, connectors that were
    applied untested are tested.
    """
    reasons: dict[str, str] = {}
    for change in changes:
        if isinstance(change, Create | Update) and isinstance(change.after, GlobalSmtpPolicy):
            for name in (change.after.connector if change.after.enabled else None,
                         change.after.fallback_connector):  # fmt: skip
                if name is not None:
                    reasons.setdefault(name, "the global policy changes")
    for change in changes:
        reason = _reason(change)
        if reason:
            reasons.setdefault(change.address.name, reason)
    if not changes:
        reasons |= _by_status(changes, current, (Status.UNTESTED,))
    return _testable(reasons, configured)


def not_ready(
    changes: tuple[Change, ...],
    configured: Snapshot,
    current: StoredState,
    tested: tuple[ToTest, ...],
) -> tuple[ToTest, ...]:
    """Connectors that are not known to work, except those that are tested anyway."""
    known = {item.connector for item in tested}
    reasons = _by_status(changes, current, (Status.FAILING, Status.UNTESTED), known)
    return _testable(reasons, configured)


def _by_status(
    changes: tuple[Change, ...],
    current: StoredState,
    statuses: tuple[Status, ...],
    others: AbstractSet[str] = frozenset(),
) -> dict[str, str]:
    """Connectors with one of these statuses, except others, by their names after the changes, with the status."""
    names = {old: new for new, old in connector_renames(changes).items()}
    reasons: dict[str, str] = {}
    for item in current.resources:
        if isinstance(item.resource, Connector) and (status := item.status) in statuses:
            name = item.resource.name
            name = names.get(name, name)
            if name not in others:
                reasons[name] = f"it is {status}"
    return reasons


def _testable(reasons: dict[str, str], configured: Snapshot) -> tuple[ToTest, ...]:
    if not reasons:
        return ()
    testable = {item.name for item in configured.connectors if not item.draft}
    return tuple(ToTest(name, why) for name, why in reasons.items() if name in testable)


def _reason(change: Change) -> str:
    if isinstance(change, Delete | Forget) or change.address.kind is not Kind.EMAIL_CONNECTOR:
        return ""
    if isinstance(change, Create):
        return "it is new"
    if isinstance(change, RotateSecret):
        return "its secret was rotated"
    touched = [field.path for field in change.fields if field.path.split(".")[0] in TESTED_FIELDS]
    return f"{touched[0]} changes" if touched else ""
