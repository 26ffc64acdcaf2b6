"""The difference of two snapshots as changes: which resources, and which of their fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.address import Address, Kind
from reconciler.model.connector import Connector
from reconciler.model.resource import JSON, Resource, spec_of
from reconciler.plan.changes import (
    Change,
    Create,
    Delete,
    FieldChange,
    Rename,
    RotateSecret,
    Update,
    ordered,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from reconciler.model.fingerprint import Fingerprint
    from reconciler.model.secret_ref import SecretRef
    from reconciler.model.snapshot import StoredResource, StoredState
    from reconciler.plan.inputs import Desired


def differences(desired: Desired, current: StoredState) -> tuple[Change, ...]:
    """Every change that leads from ``current`` to ``desired``, in no particular order."""
    fingerprints = dict(desired.fingerprints)
    changes: list[Change] = [*_rotations(desired, current, fingerprints)] if fingerprints else []
    configured, found = _without_shared(desired.snapshot.resources, current.resources)
    if not configured and not found:
        return tuple(changes)
    stored = {item.address: item for item in found}
    former = renames(desired, current)
    kept: set[Address] = set()
    for resource in configured:
        address = resource.address
        origin = former.get(address, address)
        before = stored.get(origin)
        if before is None:
            changes.append(Create(resource))
            continue
        kept.add(origin)
        compared = desired.compares(address.name)
        changes.extend(_kept(before, resource, fingerprints if compared else {}))
    changes.extend(Delete(item.resource) for address, item in stored.items() if address not in kept)
    return tuple(changes)


def _without_shared(
    configured: tuple[Resource, ...], stored: tuple[StoredResource, ...]
) -> tuple[tuple[Resource, ...], tuple[StoredResource, ...]]:
    """Leave out the resources that are one value on both sides, as nearly all are: nothing about them changes."""
    here, there = set(map(id, configured)), {id(item.resource) for item in stored}
    return (
        tuple([item for item in configured if id(item) not in there]),
        tuple([item for item in stored if id(item.resource) not in here]),
    )


def _rotations(
    desired: Desired, current: StoredState, fingerprints: dict[SecretRef, Fingerprint]
) -> Iterator[RotateSecret]:
    """The rotated secrets of connectors that are one value on both sides."""
    here = set(map(id, desired.snapshot.connectors))
    for item in current.resources:
        connector = item.resource
        if id(connector) not in here or not isinstance(connector, Connector):
            continue
        if desired.compares(connector.name) and (
            rotated := _rotated(item, connector, fingerprints)
        ):
            yield RotateSecret(connector, rotated)


def renames(desired: Desired, current: StoredState) -> dict[Address, Address]:
    """New to former addresses, of connectors and of the permissions that go with them.

    A rename does not count if it was already applied, if the former name was never stored, or if
    another rename uses the same former name. Permissions are never renamed without their connector.
    """
    if not desired.renames:
        return {}
    stored = {item.address for item in current.resources}
    configured = {resource.address for resource in desired.snapshot.resources}
    found: dict[Address, Address] = {}
    taken: set[str] = set()
    for new, old in desired.renames:
        pairs = [
            (Address(kind, new), Address(kind, old))
            for kind in (Kind.EMAIL_CONNECTOR, Kind.PERMISSIONS)
        ]
        fits = [
            before in stored and after not in stored and before not in configured
            for after, before in pairs
        ]
        if fits[0] and pairs[0][0] in configured and old not in taken:
            taken.add(old)
            found.update(pair for pair, fit in zip(pairs, fits, strict=True) if fit)
    return found


def connector_renames(changes: tuple[Change, ...]) -> dict[str, str]:
    """New to former names of the connectors that are actually renamed, whatever `renamed_from` says."""
    return {
        change.address.name: change.before.address.name
        for change in changes
        if isinstance(change, Rename) and change.address.kind is Kind.EMAIL_CONNECTOR
    }


def _kept(
    before: StoredResource, after: Resource, fingerprints: dict[SecretRef, Fingerprint]
) -> Iterator[Change]:
    renamed = before.address != after.address
    if renamed or (before.resource is not after and before.resource != after):
        fields = field_changes(spec_of(before.resource), spec_of(after))
        change = Rename if renamed else Update
        yield change(before.resource, after, fields)
    if fingerprints and isinstance(after, Connector):
        rotated = _rotated(before, after, fingerprints)
        if rotated:
            yield RotateSecret(after, rotated)


def _rotated(
    before: StoredResource, after: Connector, now: dict[SecretRef, Fingerprint]
) -> tuple[SecretRef, ...]:
    others = {
        reference
        for reference, known in before.fingerprints
        if (mark := now.get(reference)) is not None
        and known.key_id == mark.key_id
        and known.mac != mark.mac
    }
    return tuple(item for item in after.references if item in others) if others else ()


def field_changes(before: dict[str, JSON], after: dict[str, JSON]) -> tuple[FieldChange, ...]:
    """The leaves that differ, by dotted path, in the order in which the fields are declared."""
    left, right = dict(leaves(before)), dict(leaves(after))
    paths = dict.fromkeys((*left, *right))
    return tuple(
        FieldChange(path, left.get(path), right.get(path))
        for path in paths
        if left.get(path) != right.get(path)
    )


def leaves(spec: dict[str, JSON], prefix: str = "") -> Iterator[tuple[str, JSON]]:
    """Yield the dotted path and value of every leaf; a list is one leaf."""
    for name, value in spec.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


_NONE: frozenset[Address] = frozenset()


def changes_between(
    before: Mapping[str, Resource],
    after: Mapping[str, Resource],
    rotated: AbstractSet[Address] = _NONE,
) -> tuple[Change, ...]:
    """Every change that leads from one to the other, in the order of a plan.

    Both are keyed by uid, which reveals renames. A resource that was deleted and created again under
    its address counts as updated. ``rotated`` are connectors, by their later address, with a new
    secret; the history does not record which of their references it was.
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
