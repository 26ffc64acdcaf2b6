"""Groups and roles, and membership in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from reconciler.model.address import SINGLETON_NAME, Address, Kind
from reconciler.model.connector import STRICT
from reconciler.model.described import Described
from reconciler.model.domain import address_key, domain_key
from reconciler.model.fields import Host, Name
from reconciler.model.permissions import NOBODY, Principals

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.model.connector import Connector


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A named set of users. A group may contain other groups."""

    __pydantic_config__ = STRICT

    kind: Literal["Group"] = "Group"
    name: Annotated[
        Name,
        Described(
            title="Name",
            description="The stable identifier. To change it, use `reconciler rename`.",
            examples=["hr", "support-team"],
        ),
    ]
    members: Annotated[
        Principals,
        Described(
            title="Members",
            description="Users, and groups whose members belong to this group too.",
            examples=[{"users": ["bruno@contoso.example"], "groups": ["hr"]}],
        ),
    ] = NOBODY

    @property
    def address(self) -> Address:
        """``Group.name``."""
        return Address(Kind.GROUP, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """The singleton with the administrators, the data source managers and the internal domains."""

    __pydantic_config__ = STRICT

    kind: Literal["Roles"] = "Roles"
    administrators: Annotated[
        Principals,
        Described(
            title="Administrators",
            description="May change everything, the global policy included.",
            examples=[{"users": ["mail-lead@contoso.example"]}],
        ),
    ] = NOBODY
    manage_data_sources: Annotated[
        Principals,
        Described(
            title="Manage data sources",
            description="May create and delete connectors.",
            examples=[{"groups": ["mail-admins"]}],
        ),
    ] = NOBODY
    internal_domains: Annotated[
        tuple[Host, ...],
        Described(
            title="Internal domains",
            description="The organisation's domains; users with an address elsewhere are partners. Empty: the domains that the connectors send as.",
            examples=[["contoso.example"]],
        ),
    ] = ()

    @property
    def name(self) -> str:
        """The name of the singleton."""
        return SINGLETON_NAME

    @property
    def address(self) -> Address:
        """``Roles.default``."""
        return Address(Kind.ROLES, SINGLETON_NAME)


class Directory:
    """Answers questions about membership. Names are compared without case, as mail systems do.

    If the roles do not declare internal domains, ``internal_domains`` or ``connectors`` do.
    """

    __slots__ = ("_connectors", "_direct", "_groups", "_internal", "_members", "_partners")

    def __init__(
        self,
        groups: Iterable[Group],
        roles: Roles | None,
        connectors: Iterable[Connector] = (),
        *,
        internal_domains: frozenset[str] | None = None,
    ) -> None:
        self._groups = {group.name: group.members for group in groups}
        self._members: dict[str, frozenset[str]] = {}
        self._partners: dict[str, frozenset[str]] = {}
        self._direct: dict[int, tuple[Principals, frozenset[str]]] = {}
        self._connectors = tuple(connectors)
        declared = frozenset(domain_key(item) for item in (roles.internal_domains if roles else ()))
        self._internal = declared or internal_domains

    def answers_as(self, other: Directory) -> bool:
        """Whether both always give the same answers."""
        same_groups = self._groups == other._groups
        return same_groups and self.internal_domains == other.internal_domains

    @property
    def internal_domains(self) -> frozenset[str]:
        """The domains of the organisation: those declared, else those that connectors send as."""
        if self._internal is None:
            self._internal = frozenset(
                domain_key(address.rpartition("@")[2])
                for connector in self._connectors
                for address in (connector.email_address or "", *connector.also_sends_as)
                if address
            )
        return self._internal

    def members(self, group: str) -> frozenset[str]:
        """Every member of a group and its nested groups, case-folded; cycles are harmless."""
        if group not in self._members:
            users: set[str] = set()
            seen: set[str] = set()
            pending = [group]
            while pending:
                name = pending.pop()
                if name in seen:
                    continue
                seen.add(name)
                members = self._groups.get(name, NOBODY)
                users.update(address_key(user) for user in members.users)
                pending.extend(members.groups)
            self._members[group] = frozenset(users)
        return self._members[group]

    def expand(self, principals: Principals) -> frozenset[str]:
        """Every user in ``principals``, case-folded."""
        direct = frozenset(address_key(user) for user in principals.users)
        return direct.union(*(self.members(group) for group in principals.groups))

    def partners(self, principals: Principals) -> frozenset[str]:
        """Every user in ``principals`` who is not internal, case-folded."""
        direct = self._outside(map(address_key, principals.users))
        return direct.union(*map(self._partners_in, principals.groups))

    def _partners_in(self, group: str) -> frozenset[str]:
        if group not in self._partners:
            self._partners[group] = self._outside(self.members(group))
        return self._partners[group]

    def _outside(self, users: Iterable[str]) -> frozenset[str]:
        return frozenset([user for user in users if not self.is_internal(user)])

    def includes(self, principals: Principals, user: str) -> bool:
        """Whether ``user`` is in ``principals``, by name or through a group."""
        key = address_key(user)
        return key in self._named(principals) or any(
            key in self.members(group) for group in principals.groups
        )

    def _named(self, principals: Principals) -> frozenset[str]:
        """The directly named users, cached for each value: there may be very many.

        The cache is keyed by identity, since hashing a long list would cost as much as reading it.
        """
        known = self._direct.get(id(principals))
        if known is None:
            users = frozenset(address_key(user) for user in principals.users)
            known = self._direct[id(principals)] = (principals, users)
        return known[1]

    def is_internal(self, user: str) -> bool:
        """Whether ``user`` belongs to the organisation.

        So does every name that is not an address: it is a local login name.
        """
        _, at, domain = user.rpartition("@")
        return not at or domain_key(domain) in self.internal_domains
