"""Who may administer and who may use a connector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from reconciler.model.address import Address, Kind
from reconciler.model.connector import STRICT
from reconciler.model.described import Described
from reconciler.model.fields import Name, Principal


@dataclass(frozen=True, slots=True, kw_only=True)
class Principals:
    """Some users, and everybody in some groups."""

    __pydantic_config__ = STRICT

    users: Annotated[
        tuple[Principal, ...],
        Described(
            title="Users",
            description="Email addresses, or login names that CI or the operating system reports.",
            examples=[["bruno@contoso.example"]],
        ),
    ] = ()
    groups: Annotated[
        tuple[Name, ...],
        Described(
            title="Groups",
            description="Names of groups: everybody in them.",
            examples=[["support-team"]],
        ),
    ] = ()

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
    connector: Annotated[
        Name,
        Described(
            title="Connector",
            description="The connector that these permissions apply to.",
            examples=["support"],
        ),
    ]
    administrators: Annotated[
        Principals,
        Described(
            title="Administrators",
            description="Who may change the connector. Empty: any Administrator.",
            examples=[{"groups": ["mail-admins"]}],
        ),
    ] = NOBODY
    users: Annotated[
        Principals,
        Described(
            title="Users",
            description="Who may send through the connector. Empty: any internal user.",
            examples=[{"groups": ["support-team"]}],
        ),
    ] = NOBODY
    enable_b2b: Annotated[
        bool,
        Described(
            title="Enable B2B",
            description="Whether external partners may send through the connector too.",
        ),
    ] = False

    @property
    def address(self) -> Address:
        """``Permissions.connector``."""
        return Address(Kind.PERMISSIONS, self.connector)
