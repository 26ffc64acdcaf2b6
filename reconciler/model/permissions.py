"""Who may administer and who may use a connector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from reconciler.model.address import Address, Kind
from reconciler.model.connector import STRICT
from reconciler.model.fields import Name, Principal


@dataclass(frozen=True, slots=True, kw_only=True)
class Principals:
    """Some users, and everybody in some groups."""

    __pydantic_config__ = STRICT

    users: Annotated[tuple[Principal, ...], Field(description="Individual users.")] = ()
    groups: Annotated[tuple[Name, ...], Field(description="Groups, by name.")] = ()

    def __bool__(self) -> bool:
        return bool(self.users or self.groups)


NOBODY = Principals()


@dataclass(frozen=True, slots=True, kw_only=True)
class Permissions:
    """The rights on one connector.

    No administrators means any Administrator; no users means any internal user. A connector without
    permissions is one whose permissions are empty.
    """

    __pydantic_config__ = STRICT

    kind: Literal["Permissions"] = "Permissions"
    connector: Annotated[Name, Field(description="The connector that these permissions apply to.")]
    administrators: Annotated[
        Principals, Field(description="Who may change it; empty: any Administrator.")
    ] = NOBODY
    users: Annotated[
        Principals, Field(description="Who may send through it; empty: any internal user.")
    ] = NOBODY
    enable_b2b: Annotated[bool, Field(description="External partners may use it too.")] = False

    @property
    def address(self) -> Address:
        """``Permissions.connector``."""
        return Address(Kind.PERMISSIONS, self.connector)
