"""Groups and roles, and what both are kept for: to tell whether somebody is one of those."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from reconciler.model.address import SINGLETON_NAME, Address, Kind
from reconciler.model.connector import STRICT
from reconciler.model.fields import Host, Name
from reconciler.model.permissions import NOBODY, Principals

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Users who are named together. A group may hold other groups."""

    __pydantic_config__ = STRICT

    kind: Literal["Group"] = "Group"
    name: Annotated[Name, Field(description="Stable identifier.")]
    members: Annotated[Principals, Field(description="Who belongs to it.")] = NOBODY

    @property
    def address(self) -> Address:
        """``Group.name``."""
        return Address(Kind.GROUP, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """The singleton that says who may change what, and who belongs to the organisation."""

    __pydantic_config__ = STRICT

    kind: Literal["Roles"] = "Roles"
    administrators: Annotated[
        Principals, Field(description="May change everything, the global policy included.")
    ] = NOBODY
    manage_data_sources: Annotated[
        Principals, Field(description="May create and delete connectors.")
    ] = NOBODY
    internal_domains: Annotated[
        tuple[Host, ...],
        Field(
            description="Users with an address elsewhere are partners; empty: nobody is.",
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
    """Answers who belongs to what. Names compare without regard to case, as mail systems do."""

    __slots__ = ("_groups", "_internal", "_members")

    def __init__(self, groups: Iterable[Group], roles: Roles | None) -> None:
        self._groups = {group.name: group.members for group in groups}
        self._members: dict[str, frozenset[str]] = {}
        self._internal = frozenset(
            domain.casefold() for domain in (roles.internal_domains if roles else ())
        )

    def members(self, group: str) -> frozenset[str]:
        """Everybody in a group and in the groups within it, case-folded; a cycle ends itself."""
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
                users.update(user.casefold() for user in members.users)
                pending.extend(members.groups)
            self._members[group] = frozenset(users)
        return self._members[group]

    def expand(self, principals: Principals) -> frozenset[str]:
        """Everybody whom ``principals`` stands for, case-folded."""
        direct = frozenset(user.casefold() for user in principals.users)
        return direct.union(*(self.members(group) for group in principals.groups))

    def includes(self, principals: Principals, user: str) -> bool:
        """Whether ``user`` is one of ``principals``, named or by a group."""
        return user.casefold() in self.expand(principals)

    def is_internal(self, user: str) -> bool:
        """Whether ``user`` belongs to the organisation.

        So does everybody as long as no internal domains are declared, and every name that is no
        address: it is one of a machine of ours.
        """
        _, at, domain = user.rpartition("@")
        return not self._internal or not at or domain.casefold() in self._internal
