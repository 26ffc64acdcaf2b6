"""Addresses, which identify resources in plans and histories: ``EmailConnector.support``."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple, Self, assert_never


class Kind(StrEnum):
    """The kinds of documents in a configuration."""

    PROVIDER = "Provider"
    GROUP = "Group"
    ROLES = "Roles"
    EMAIL_CONNECTOR = "EmailConnector"
    PERMISSIONS = "Permissions"
    GLOBAL_SMTP_POLICY = "GlobalSmtpPolicy"
    APPLICATION = "Application"

    __hash__ = (
        str.__hash__
    )  # an enumeration's own is slower, and addresses are looked up by the ten thousand

    @property
    def is_singleton(self) -> bool:
        """Whether this kind is a singleton, whose resource has a fixed name."""
        match self:
            case Kind.ROLES | Kind.GLOBAL_SMTP_POLICY:
                return True
            case (
                Kind.PROVIDER
                | Kind.GROUP
                | Kind.EMAIL_CONNECTOR
                | Kind.PERMISSIONS
                | Kind.APPLICATION
            ):
                return False
            case _:
                assert_never(self)


SINGLETON_NAME = "default"
"""The name of a singleton resource: the roles and the global policy."""


class Address(NamedTuple):
    """The identity of a resource: its kind and its name within the kind.

    A tuple, since tens of thousands of them are made and looked up for a plan.
    """

    kind: Kind
    name: str

    def __str__(self) -> str:
        return f"{self.kind}.{self.name}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse ``Kind.name``; raises ValueError if it is not an address."""
        kind, _, name = text.partition(".")
        if not name:
            raise ValueError(f"not an address: {text!r}")
        return cls(Kind(kind), name)
