"""Snapshots: all resources at one moment; a stored snapshot also has their history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from operator import attrgetter
from typing import TYPE_CHECKING, Final, assert_never

from msgspec import Struct

from reconciler.model.address import Address
from reconciler.model.application import Application
from reconciler.model.connector import Connector
from reconciler.model.credential_use import CredentialUse
from reconciler.model.directory import Directory, Group, Roles
from reconciler.model.permissions import Permissions
from reconciler.model.policy import GlobalSmtpPolicy
from reconciler.model.provider import Provider
from reconciler.model.resource import JSON, Resource
from reconciler.model.setting import Setting
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.model.fingerprint import Fingerprint
    from reconciler.model.secret_ref import SecretRef

_name: Final = attrgetter("name")
_of_connector: Final = attrgetter("connector")

_ByName = tuple[dict[str, Connector], dict[str, Permissions]]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All resources, each kind sorted by name."""

    providers: tuple[Provider, ...] = ()
    groups: tuple[Group, ...] = ()
    roles: Roles | None = None
    connectors: tuple[Connector, ...] = ()
    permissions: tuple[Permissions, ...] = ()
    policy: GlobalSmtpPolicy | None = None
    applications: tuple[Application, ...] = ()
    _by_name: _ByName | None = field(default=None, init=False, repr=False, compare=False)
    _by_address: dict[Address, Resource] | None = field(
        default=None, init=False, repr=False, compare=False
    )

    @classmethod
    def of(cls, resources: tuple[Resource, ...]) -> Snapshot:
        """Build a snapshot from resources, whose addresses must be unique."""
        providers: list[Provider] = []
        groups: list[Group] = []
        roles: Roles | None = None
        connectors: list[Connector] = []
        permissions: list[Permissions] = []
        policy: GlobalSmtpPolicy | None = None
        applications: list[Application] = []
        for item in resources:
            match item:
                case Provider():
                    providers.append(item)
                case Group():
                    groups.append(item)
                case Roles():
                    roles = item
                case Connector():
                    connectors.append(item)
                case Permissions():
                    permissions.append(item)
                case GlobalSmtpPolicy():
                    policy = item
                case Application():
                    applications.append(item)
                case _:
                    assert_never(item)
        return cls(
            tuple(sorted(providers, key=_name)),
            tuple(sorted(groups, key=_name)),
            roles,
            tuple(sorted(connectors, key=_name)),
            tuple(sorted(permissions, key=_of_connector)),
            policy,
            tuple(sorted(applications, key=_name)),
        )

    @property
    def resources(self) -> tuple[Resource, ...]:
        """Every resource, in the order of dependency."""
        return (
            *self.providers,
            *self.groups,
            *((self.roles,) if self.roles else ()),
            *self.connectors,
            *self.permissions,
            *((self.policy,) if self.policy else ()),
            *self.applications,
        )

    @property
    def by_address(self) -> Mapping[Address, Resource]:
        """Every resource by its address: built on first use."""
        if self._by_address is None:
            found = {item.address: item for item in self.resources}
            object.__setattr__(self, "_by_address", found)
            return found
        return self._by_address

    @property
    def directory(self) -> Directory:
        """Return the directory of the groups and roles."""
        return Directory(self.groups, self.roles, self.connectors)

    @property
    def administrators(self) -> frozenset[str]:
        """Every Administrator, directly or through groups, case-folded; empty if no roles are declared."""
        return self.directory.expand(self.roles.administrators) if self.roles else frozenset()

    def connector(self, name: str) -> Connector | None:
        """Find a connector by its name."""
        return self._names[0].get(name)

    def permissions_of(self, connector: str) -> Permissions:
        """Find the permissions of a connector; the empty ones if it has none."""
        return self._names[1].get(connector) or Permissions(connector=connector)

    @property
    def _names(self) -> _ByName:
        """Connectors and permissions by name: built on first use, for thousands of mails."""
        if self._by_name is None:
            connectors = {item.name: item for item in reversed(self.connectors)}
            permissions = {item.connector: item for item in reversed(self.permissions)}
            object.__setattr__(self, "_by_name", (connectors, permissions))
            return connectors, permissions
        return self._by_name


class Status(StrEnum):
    """What is known of a stored connector."""

    READY = "ready"
    INCOMPLETE = "incomplete"
    FAILING = "failing"
    UNTESTED = "untested"


@dataclass(frozen=True, slots=True)
class LastTest:
    """The result of a connector's last live test; ``stage`` and ``error_class`` only if it failed.

    ``failing_since`` is the time of the first failure since the last success; the store fills it
    in. ``facts`` is what the test observed of the servers.
    """

    passed: bool
    at: datetime
    stage: str = ""
    error_class: str = ""
    summary: str = ""
    failing_since: datetime | None = None
    facts: dict[str, JSON] = field(default_factory=dict, hash=False)

    def after(self, failing_since: datetime | None) -> LastTest:
        """This result with the time since which the connector has been failing."""
        return replace(self, failing_since=None if self.passed else failing_since or self.at)


class StoredResource(Struct, frozen=True):
    """A resource as the state holds it."""

    resource: Resource
    created_at: datetime
    modified_at: datetime
    modified_by: str
    fingerprints: tuple[tuple[SecretRef, Fingerprint], ...] = ()
    last_test: LastTest | None = None

    @property
    def address(self) -> Address:
        """The address of the resource."""
        return self.resource.address

    @property
    def status(self) -> Status | None:
        """The status of a connector; None for every other kind."""
        if not isinstance(self.resource, Connector):
            return None
        if self.resource.draft:
            return Status.INCOMPLETE
        if self.last_test is None:
            return Status.UNTESTED
        return Status.READY if self.last_test.passed else Status.FAILING


class Forgotten(Struct, frozen=True):
    """A resource that ``state forget`` removed: in which revision, when and by whom."""

    address: Address
    serial: int
    at: datetime
    by: str


@dataclass(frozen=True, slots=True)
class StoredState:
    """The whole stored state at one serial.

    ``lineage`` is the permanent random id of a state; it is empty, and ``serial`` is 0, if nothing was
    ever applied. ``forgotten`` are the removed resources that were not created again.
    ``credential_uses`` are all that were ever applied or signed in with; ``settings`` are those in
    force at the last apply, empty if they were not recorded.
    """

    lineage: str = ""
    serial: int = 0
    resources: tuple[StoredResource, ...] = ()
    forgotten: tuple[Forgotten, ...] = ()
    credential_uses: Sequence[CredentialUse] = ()
    settings: tuple[Setting, ...] = ()
    _snapshot: Snapshot | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def snapshot(self) -> Snapshot:
        """The resources alone: built on first use, since a plan needs it several times."""
        if self._snapshot is None:
            found = Snapshot.of(tuple(stored.resource for stored in self.resources))
            object.__setattr__(self, "_snapshot", found)
            return found
        return self._snapshot

    def stored(self, address: Address) -> StoredResource | None:
        """Find the resource at that address, with its history."""
        return next((item for item in self.resources if item.address == address), None)
