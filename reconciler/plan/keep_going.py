"""The remaining plan when some connectors failed their tests (``--keep-going``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from reconciler.model.address import Kind
from reconciler.model.directory import Group
from reconciler.model.permissions import Permissions
from reconciler.model.snapshot import Snapshot
from reconciler.plan.diff import renames
from reconciler.plan.limits import renamed
from reconciler.values import replace

if TYPE_CHECKING:
    from reconciler.model.connector import Connector
    from reconciler.model.policy import GlobalSmtpPolicy
    from reconciler.model.resource import Resource
    from reconciler.model.snapshot import StoredState
    from reconciler.plan.inputs import Desired


def without(desired: Desired, current: StoredState, failed: frozenset[str]) -> Desired:
    """The configuration in which failed connectors stay as they are stored, or are left out if they are new.

    Whatever depends on them stays too: the permissions of their new version, and the stored policy if
    the desired one names a failed connector. The stored policy in turn keeps the connectors that it
    needs, and all of these keep their providers and groups. It makes no change that the full
    configuration would not make.
    """
    stored, configured = current.snapshot, desired.snapshot
    former = {
        new.name: old.name
        for new, old in renames(desired, current).items()
        if new.kind is Kind.EMAIL_CONNECTOR
    }
    policy = configured.policy
    back, extra = set(failed), frozenset[str]()
    if policy is not None and {policy.connector, policy.fallback_connector} & failed:
        later = {old: new for new, old in former.items() if new not in failed}
        policy = stored.policy
        if policy is not None:
            extra = _lost_to(policy, configured, later)
            back |= {later.get(name, name) for name in extra}
            policy = renamed(policy, {old: new for old, new in later.items() if old not in extra})
    held = {former.get(name, name) for name in back} | extra
    goes_on = tuple(item for item in configured.connectors if item.name not in back)
    stays = tuple(item for item in stored.connectors if item.name in held)

    def left(kind: Kind) -> tuple[Resource, ...]:
        match kind:
            case Kind.PROVIDER:
                needed = {item.provider for item in stays} - {
                    item.name for item in configured.providers
                }
                return (
                    *configured.providers,
                    *(item for item in stored.providers if item.name in needed),
                )
            case Kind.GROUP | Kind.ROLES | Kind.APPLICATION:
                return tuple(item for item in configured.resources if item.address.kind is kind)
            case Kind.EMAIL_CONNECTOR:
                return (*goes_on, *stays)
            case Kind.PERMISSIONS:
                return _permissions(stored, configured, goes_on, stays)
            case Kind.GLOBAL_SMTP_POLICY:
                return (policy,) if policy else ()
            case _:
                assert_never(kind)

    resources = [resource for kind in Kind for resource in left(kind)]
    resources += _groups_needed(resources, stored)
    # A rotation in a connector that stays is still pending, so its new fingerprint is ignored.
    pending = {
        reference
        for item in (*stays, *(item for item in configured.connectors if item.name in back))
        for reference in item.references
    }
    return replace(
        desired,
        snapshot=Snapshot.of(tuple(resources)),
        renames=tuple((new, old) for new, old in desired.renames if new not in back),
        fingerprints=tuple(item for item in desired.fingerprints if item[0] not in pending),
    )


def _lost_to(
    policy: GlobalSmtpPolicy, configured: Snapshot, later: dict[str, str]
) -> frozenset[str]:
    """Name the stored connectors that a policy needs and that would be deleted or no longer send."""
    by_name = {item.name: item for item in configured.connectors}
    lost = set()
    for name, sends in (
        (policy.connector, policy.enabled),
        (policy.fallback_connector, True),
    ):
        found = by_name.get(later.get(name, name)) if name is not None else None
        if name is not None and (found is None or (sends and not found.can_send)):
            lost.add(name)
    return frozenset(lost)


def _permissions(
    stored: Snapshot,
    configured: Snapshot,
    goes_on: tuple[Connector, ...],
    stays: tuple[Connector, ...],
) -> tuple[Permissions, ...]:
    """Pair each connector with the permissions of the version that it will have."""
    unchanged = set(stays) & set(configured.connectors)
    current = {item.name for item in goes_on} | {item.name for item in unchanged}
    former = {item.name for item in stays} - current
    return (
        *(item for item in configured.permissions if item.connector in current),
        *(item for item in stored.permissions if item.connector in former),
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
