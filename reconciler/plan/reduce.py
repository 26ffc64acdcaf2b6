"""What is left to apply when some connectors failed their tests (``--keep-going``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.directory import Group
from reconciler.model.permissions import Permissions
from reconciler.model.snapshot import Snapshot
from reconciler.plan.desired import Desired

if TYPE_CHECKING:
    from reconciler.model.resource import Resource
    from reconciler.model.snapshot import StoredState


def without(desired: Desired, current: StoredState, failed: frozenset[str]) -> Desired:
    """The configuration in which the failed connectors stay as they are stored, or stay away.

    What depends on them stays too. Permissions of a connector that stays away are left out; one that
    keeps its former name keeps its permissions. If the wanted policy names a failed connector, the
    stored policy stays, with the connectors that it names; and so do the groups that what stays needs.
    """
    stored, wanted = current.snapshot, desired.snapshot
    former = {new: old for new, old in desired.renames if new in failed}
    policy, held = wanted.policy, {former.get(name, name) for name in failed}
    remaining = {item.name for item in wanted.connectors} - failed
    if policy is not None and {policy.connector, policy.fallback_connector} & failed:
        policy = stored.policy
        if policy is not None:
            named = {policy.connector or "", policy.fallback_connector or ""}
            held |= named - remaining
    kept = tuple(item for item in stored.connectors if item.name in held)
    names = {item.name for item in kept}
    described = {item.connector for item in wanted.permissions}
    resources: list[Resource] = [
        *wanted.providers,
        *wanted.groups,
        *((wanted.roles,) if wanted.roles else ()),
        *(item for item in wanted.connectors if item.name not in failed),
        *kept,
        *(item for item in wanted.permissions if item.connector in remaining | names),
        *(item for item in stored.permissions if item.connector in names - described),
        *((policy,) if policy else ()),
    ]
    resources += _groups_needed(resources, stored)
    renames = tuple((new, old) for new, old in desired.renames if new not in failed)
    # A rotation of a failed connector stays pending, so its new fingerprint is not looked at.
    pending = {
        reference
        for item in wanted.connectors
        if item.name in failed
        for reference in item.references
    }
    return Desired(
        Snapshot.of(tuple(resources)),
        renames,
        tuple(item for item in desired.fingerprints if item[0] not in pending),
    )


def _groups_needed(resources: list[Resource], stored: Snapshot) -> tuple[Group, ...]:
    present = {item.name for item in resources if isinstance(item, Group)}
    pending = [
        group
        for item in resources
        if isinstance(item, Permissions)
        for group in (*item.administrators.groups, *item.users.groups)
    ]
    by_name = {item.name: item for item in stored.groups}
    found: dict[str, Group] = {}
    while pending:
        name = pending.pop()
        if name not in present and name not in found and name in by_name:
            found[name] = by_name[name]
            pending.extend(by_name[name].members.groups)
    return tuple(found.values())
