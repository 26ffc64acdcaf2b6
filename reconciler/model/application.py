"""Applications: the programs that may sign in to the gateway, and the users that they send as."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from reconciler.model.address import Address, Kind
from reconciler.model.connector import ANY_LOCAL_PART, STRICT
from reconciler.model.constraints import Matches
from reconciler.model.described import Described
from reconciler.model.domain import address_key
from reconciler.model.fields import EmailAddress, Name, Principal, Reference

IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

NETWORK_PATTERN: Final = "^[0-9A-Fa-f:.]{2,45}(/[0-9]{1,3})?$"
"""Looks like an address or a network; :func:`read_network` decides whether it is one."""

Network = Annotated[str, Matches(NETWORK_PATTERN)]
"""An IP address or a network in CIDR notation (RFC 4632): ``10.1.0.0/16``, ``2001:db8::/32``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """A program that sends through the gateway.

    It signs in with its name and its password and sends as ``user``, who must be among the users of a
    connector as any other sender must. ``password`` is a secret that only the gateway compares with; it is
    sent nowhere. An application without ``networks`` may connect from anywhere; one without ``senders`` may
    use every address that ``user`` may send as.
    """

    __pydantic_config__ = STRICT

    kind: Literal["Application"] = "Application"
    name: Annotated[
        Name,
        Described(
            title="Name",
            description="The stable identifier, and the name that it signs in with.",
            examples=["shop"],
        ),
    ]
    user: Annotated[
        Principal,
        Described(
            title="User",
            description="Whose permissions it sends with: a user as in `Permissions`.",
            examples=["shop@contoso.example"],
        ),
    ]
    password: Annotated[
        Reference,
        Described(
            title="Password",
            description="Reference to the password that it signs in to the gateway with.",
            examples=["env:SHOP_GATEWAY_PASSWORD"],
        ),
    ]
    networks: Annotated[
        tuple[Network, ...],
        Described(
            title="Networks",
            description="Where it may connect from. Empty: anywhere.",
            examples=[["10.1.0.0/16", "2001:db8::/32"]],
        ),
    ] = ()
    senders: Annotated[
        tuple[EmailAddress, ...],
        Described(
            title="Senders",
            description="The addresses, or `*@domain`, that it may send as. Empty: all of `user`.",
            examples=[["orders@shop.example"]],
        ),
    ] = ()

    @property
    def address(self) -> Address:
        """``Application.name``."""
        return Address(Kind.APPLICATION, self.name)

    def admits(self, client: str) -> bool:
        """Whether it may connect from an IP address. An IPv4 address may be written as an IPv6 one."""
        if not self.networks:
            return True
        try:
            address: IpAddress = ipaddress.ip_address(client.partition("%")[0])
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in read_network(network) for network in self.networks)

    def may_send_as(self, sender: str) -> bool:
        """Whether ``senders`` allow an address; the router decides what ``user`` may send as."""
        if not self.senders:
            return True
        key = address_key(sender)
        whole = f"{ANY_LOCAL_PART}@{key.rpartition('@')[2]}"
        return any(address_key(item) in (key, whole) for item in self.senders)


def read_network(text: str) -> IpNetwork:
    """Read an address or a network; raises ValueError if it is neither, or has bits beyond its prefix."""
    return ipaddress.ip_network(text)
