"""The scope of a plan: the chosen resources, and those that they depend on.

Everything outside stays as it is stored: it is neither compared, tested nor written.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from shlex import quote
from typing import TYPE_CHECKING, assert_never

from msgspec import Struct

from reconciler.model.address import SINGLETON_NAME, Address, Kind
from reconciler.model.application import Application
from reconciler.model.connector import Connector
from reconciler.model.directory import Group, Roles
from reconciler.model.domain import address_key
from reconciler.model.permissions import Permissions
from reconciler.model.policy import GlobalSmtpPolicy
from reconciler.model.provider import Provider
from reconciler.model.snapshot import Snapshot
from reconciler.plan.changes import ordered
from reconciler.plan.diff import differences, renames
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.resource import Resource
    from reconciler.model.snapshot import StoredState
    from reconciler.plan.inputs import Desired

_OF_CONNECTORS = (Kind.EMAIL_CONNECTOR, Kind.PERMISSIONS)


class Scope(Struct, frozen=True):
    """The requested scope; each field narrows it.

    A pattern matches the name of a connector, whose permissions come with it, or a whole address
    such as ``Group.*``. A connector must have all ``labels``.
    """

    patterns: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    kinds: tuple[Kind, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether everything is included."""
        return not (self.patterns or self.labels or self.kinds)

    @property
    def options(self) -> tuple[str, ...]:
        """The same as command-line options."""
        return (
            *(f"--only {quote(item)}" for item in self.patterns),
            *(f"--label {quote(item)}" for item in self.labels),
            *(f"--kind {item}" for item in self.kinds),
        )

    def __str__(self) -> str:
        return " ".join(self.options) or "everything"

    def takes(self, address: Address, labels: frozenset[str] = frozenset()) -> bool:
        """Whether a resource is chosen; ``labels`` are those of the connector that it is or belongs to."""
        return (
            (not self.kinds or address.kind in self.kinds)
            and labels.issuperset(self.labels)
            and (not self.patterns or any(matches(item, address) for item in self.patterns))
        )


WHOLE = Scope()


def matches(pattern: str, address: Address) -> bool:
    """Whether a pattern matches a resource."""
    if address.kind in _OF_CONNECTORS and fnmatchcase(address.name, pattern):
        return True
    return fnmatchcase(str(address), pattern)


class PartialPlan(Struct, frozen=True):
    """The extent of a partial plan, as addresses of changes.

    ``dependencies`` were not chosen, but chosen resources depend on them. ``left_out`` would change
    in a full plan.
    """

    scope: Scope
    dependencies: tuple[Address, ...] = ()
    left_out: tuple[Address, ...] = ()


def narrow_to(
    desired: Desired, current: StoredState, scope: Scope
) -> tuple[Desired, PartialPlan | None]:
    """The configuration in which everything outside the scope stays as it is stored."""
    if scope.is_whole:
        return desired, None
    graph = _Graph(desired, current)
    chosen = graph.chosen(scope)
    included = graph.with_dependencies(chosen)
    resources = graph.mixed(included)
    if graph.loses_administrators(resources):
        # They come from the roles as they will be, or from a group that only those name.
        included = graph.with_dependencies(chosen | {_ROLES})
        resources = graph.mixed(included)
    connectors = {item.name for item in included if item.kind is Kind.EMAIL_CONNECTOR}
    part = replace(
        desired,
        snapshot=Snapshot.of(resources),
        renames=tuple(pair for pair in desired.renames if pair[0] in connectors),
        compared=frozenset(connectors),
    )
    # As keys: distinct, ordered, and fast to look up.
    changed = dict.fromkeys(item.address for item in ordered(differences(part, current)))
    everything = dict.fromkeys(item.address for item in ordered(differences(desired, current)))
    return part, PartialPlan(
        scope,
        tuple(item for item in changed if item not in chosen),
        tuple(item for item in everything if item not in changed),
    )


def chosen_by(scope: Scope, *snapshots: Snapshot) -> frozenset[Address]:
    """The resources in a scope; a connector has the labels of any of the snapshots."""
    labels: dict[str, frozenset[str]] = {}
    for snapshot in snapshots:
        for item in snapshot.connectors:
            labels[item.name] = labels.get(item.name, _NONE) | frozenset(item.labels)
    return frozenset(
        resource.address
        for snapshot in snapshots
        for resource in snapshot.resources
        if scope.takes(resource.address, labels.get(_owner(resource.address), _NONE))
    )


def connectors_of(snapshot: Snapshot, scope: Scope) -> frozenset[str]:
    """Name the connectors that are chosen, and those that something chosen depends on."""
    resources = {item.address: item for item in snapshot.resources}
    found = set(chosen_by(scope, snapshot))
    pending = list(found)
    while pending:
        for item in _references(resources[pending.pop()]):
            if item in resources and item not in found:
                found.add(item)
                pending.append(item)
    return frozenset(item.name for item in found if item.kind is Kind.EMAIL_CONNECTOR)


_NONE: frozenset[str] = frozenset()
_ROLES = Address(Kind.ROLES, SINGLETON_NAME)


class _Graph:
    """How the desired and the stored resources depend on each other."""

    def __init__(self, desired: Desired, current: StoredState) -> None:
        self.after = {item.address: item for item in desired.snapshot.resources}
        self.before = {item.address: item for item in current.snapshot.resources}
        self._snapshots = (current.snapshot, desired.snapshot)
        former = renames(desired, current)
        self._twins = former | {old: new for new, old in former.items()}
        self._users: dict[Address, set[Address]] = {}
        for item in self.before.values():
            for reference in _references(item):
                self._users.setdefault(reference, set()).add(item.address)
        self._senders: dict[str, set[Address]] = {}
        for item in self.before.values():
            for sender in _senders(item):
                self._senders.setdefault(sender, set()).add(item.address)

    def chosen(self, scope: Scope) -> set[Address]:
        """Everything in a scope; of a rename, both addresses."""
        found = set(chosen_by(scope, *self._snapshots))
        return found | {self._twins[item] for item in found if item in self._twins}

    def with_dependencies(self, chosen: set[Address]) -> set[Address]:
        """Add missing dependencies, references to deleted resources, and former senders."""
        included, pending, seen = set(chosen), list(chosen), set(chosen)
        while pending:
            address = pending.pop()
            related = set(self._needed(address))
            if address in included:
                related |= set(self._affected(address))
                related |= self._former_senders(address)
                related |= {self._twins[address]} if address in self._twins else set()
            for item in related - seen:
                seen.add(item)
                pending.append(item)
                if self.after.get(item) != self.before.get(item):
                    included.add(item)
        return included

    def _former_senders(self, address: Address) -> set[Address]:
        """The connectors that send as an address that this connector takes over."""
        resource = self.after.get(address)
        senders = _senders(resource) if resource is not None else ()
        found = (self._senders.get(sender, set()) for sender in senders)
        return set().union(*found) - {address}

    def mixed(self, included: set[Address]) -> tuple[Resource, ...]:
        """The desired version of everything included, and the stored version of the rest."""
        return (
            *(item for address, item in self.after.items() if address in included),
            *(item for address, item in self.before.items() if address not in included),
        )

    def loses_administrators(self, resources: tuple[Resource, ...]) -> bool:
        """Whether these have no Administrator, although both the stored and the desired ones have."""
        if Snapshot.of(resources).administrators:
            return False
        return all(snapshot.administrators for snapshot in self._snapshots)

    def _needed(self, address: Address) -> Iterator[Address]:
        """What the desired version refers to; a new connector includes its permissions."""
        resource = self.after.get(address)
        if resource is None:
            return
        yield from _references(resource)
        if address.kind is Kind.EMAIL_CONNECTOR and address not in self.before:
            yield Address(Kind.PERMISSIONS, address.name)

    def _affected(self, address: Address) -> Iterator[Address]:
        """The resources that use the stored version and cannot use the desired one."""
        before, after = self.before.get(address), self.after.get(address)
        if before is None:
            return
        stops_sending = (
            isinstance(before, Connector)
            and isinstance(after, Connector)
            and before.can_send
            and not after.can_send
        )
        if after is None or stops_sending:
            yield from self._users.get(address, ())


def _references(resource: Resource) -> tuple[Address, ...]:
    match resource:
        case Connector(provider=provider):
            return _addresses(Kind.PROVIDER, provider)
        case Permissions(connector=connector, administrators=administrators, users=users):
            return (
                *_addresses(Kind.EMAIL_CONNECTOR, connector),
                *_addresses(Kind.GROUP, *administrators.groups, *users.groups),
            )
        case Group(members=members):
            return _addresses(Kind.GROUP, *members.groups)
        case Roles(administrators=administrators, manage_data_sources=managers):
            return _addresses(Kind.GROUP, *administrators.groups, *managers.groups)
        case GlobalSmtpPolicy(connector=connector, fallback_connector=fallback):
            return _addresses(Kind.EMAIL_CONNECTOR, connector, fallback)
        case Provider() | Application():
            return ()
        case _:
            assert_never(resource)


def _senders(resource: Resource) -> tuple[str, ...]:
    """The addresses that a connector sends as."""
    if not isinstance(resource, Connector) or not resource.can_send:
        return ()
    own = (resource.email_address, *resource.also_sends_as)
    return tuple(address_key(item) for item in own if item)


def _addresses(kind: Kind, *names: str | None) -> tuple[Address, ...]:
    return tuple(Address(kind, name) for name in names if name is not None)


def _owner(address: Address) -> str:
    """The connector that a resource is or belongs to; empty for other kinds."""
    return address.name if address.kind in _OF_CONNECTORS else ""
