"""Forgetting a stored resource: what is removed with it, and what prevents it."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from reconciler.model.address import Kind
from reconciler.model.connector import Connector
from reconciler.plan.changes import Forget, ordered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.address import Address
    from reconciler.model.permissions import Principals
    from reconciler.model.resource import Resource
    from reconciler.model.snapshot import Snapshot
    from reconciler.plan.changes import Change


def forgetting(snapshot: Snapshot, resource: Resource) -> tuple[Change, ...]:
    """Remove the resource, and the permissions of a connector with it."""
    going = [resource]
    if isinstance(resource, Connector):
        going += [item for item in snapshot.permissions if item.connector == resource.name]
    return ordered(Forget(item) for item in going)


def objections(snapshot: Snapshot, resource: Resource) -> tuple[str, ...]:
    """The reasons to keep it, in sentences; none if it may be removed."""
    address = resource.address
    found = [f"{holder} names it" for holder in dict.fromkeys(_holders(snapshot, address))]
    kind = address.kind
    match kind:
        case Kind.PERMISSIONS:
            found.append(
                "without them others could use the connector; forget the connector instead"
            )
        case Kind.ROLES:
            found.append("without roles everybody would be an Administrator")
        case Kind.GLOBAL_SMTP_POLICY:
            if snapshot.policy is not None and snapshot.policy.enabled:
                found.append("it carries all mail; disable it with an apply first")
        case Kind.EMAIL_CONNECTOR:
            if isinstance(resource, Connector) and resource.prevent_destroy:
                found.append("prevent_destroy protects it; apply prevent_destroy: false first")
        case Kind.PROVIDER | Kind.GROUP | Kind.APPLICATION:
            pass  # whatever refers to them keeps them
        case _:
            assert_never(kind)
    return tuple(found)


def _holders(snapshot: Snapshot, address: Address) -> Iterator[Address]:
    """The resources that refer to it, except the permissions of a connector, which are removed with it."""
    policy, kind = snapshot.policy, address.kind
    match kind:
        case Kind.EMAIL_CONNECTOR:
            if policy and address.name in (policy.connector, policy.fallback_connector):
                yield policy.address
        case Kind.PROVIDER:
            yield from (
                item.address for item in snapshot.connectors if item.provider == address.name
            )
        case Kind.GROUP:
            yield from (
                holder for holder, named in _principals(snapshot) if address.name in named.groups
            )
        case Kind.PERMISSIONS | Kind.ROLES | Kind.GLOBAL_SMTP_POLICY | Kind.APPLICATION:
            return  # nothing names them
        case _:
            assert_never(kind)


def _principals(snapshot: Snapshot) -> Iterator[tuple[Address, Principals]]:
    for group in snapshot.groups:
        yield group.address, group.members
    if snapshot.roles is not None:
        yield snapshot.roles.address, snapshot.roles.administrators
        yield snapshot.roles.address, snapshot.roles.manage_data_sources
    for permissions in snapshot.permissions:
        yield permissions.address, permissions.administrators
        yield permissions.address, permissions.users
