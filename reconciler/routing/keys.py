"""The lookup keys of stored resources, so that routing one mail reads only what it needs."""

from __future__ import annotations

import unicodedata
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeAlias

from msgspec import Struct

from reconciler.model.connector import ANY_LOCAL_PART, Connector
from reconciler.model.directory import Group
from reconciler.model.domain import address_key, domain_key
from reconciler.routing.claims import addresses_in
from reconciler.routing.senders import domain_pattern
from reconciler.routing.spelling import normal_address

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.model.resource import Resource
    from reconciler.routing.request import RouteRequest


class KeyRole(StrEnum):
    """The role of a key for its resource."""

    ADDRESS = "address"
    """A connector sends as this address or ``*@domain``."""
    DOMAIN = "domain"
    """A connector sends as addresses of this domain, which is therefore internal unless the roles declare some."""
    MEMBER = "member"
    """A group names this user."""
    SUBGROUP = "subgroup"
    """A group contains this group."""


RoutingKey: TypeAlias = tuple[KeyRole, str]

_EDITION: Final = "1"
"""Increase it when :func:`keys_of` finds other keys for the same resource."""


class RoutingNeeds(Struct, frozen=True, kw_only=True):
    """What routing one mail needs to know.

    ``actor`` is the user whose groups and domain matter, ``connectors`` are the named ones,
    ``addresses`` are keys of the role ADDRESS. ``application`` is looked up by its name.
    """

    actor: str = ""
    connectors: frozenset[str] = frozenset()
    addresses: frozenset[str] = frozenset()
    application: str = ""


def needs_of(request: RouteRequest, author_texts: Iterable[str] = ()) -> RoutingNeeds:
    """Find out what a mail needs: its sender, and every address in the texts that name its author."""
    addresses: set[str] = set()
    if request.sender:
        addresses.add(address_key(request.sender))
        addresses.add(domain_pattern(request.sender) or "")
    for texts in (tuple(filter(None, (request.sender, request.reply_to))), tuple(author_texts)):
        for address in addresses_in(texts) or ():
            addresses.add(address)
            addresses.add(f"{ANY_LOCAL_PART}@{address.rpartition('@')[2]}")
    return RoutingNeeds(
        actor=request.actor,
        connectors=frozenset({request.connector} if request.connector else ()),
        addresses=frozenset(addresses - {""}),
    )


def keys_of(resource: Resource) -> frozenset[RoutingKey]:
    """Every key of a resource; none for those found only by name."""
    match resource:
        case Connector():
            found: set[RoutingKey] = set()
            for text in _texts(resource):
                found.add((KeyRole.ADDRESS, address_key(text)))
                found.add((KeyRole.ADDRESS, normal_address(text)))
                found.add((KeyRole.DOMAIN, domain_key(text.rpartition("@")[2])))
            return frozenset(found)
        case Group():
            members = {(KeyRole.MEMBER, address_key(user)) for user in resource.members.users}
            return frozenset(
                members.union((KeyRole.SUBGROUP, name) for name in resource.members.groups)
            )
        case _:
            return frozenset()


def has_lasting_keys(resource: Resource) -> bool:
    """Whether its keys are the same with every version of Unicode and of IDNA: ASCII, and no A-label to check."""
    return all(text.isascii() and "xn--" not in text.lower() for text in _texts(resource))


def edition(*, lasting: bool) -> str:
    """The edition of this release's keys; unstable ones also name the versions that made them."""
    if lasting:
        return _EDITION
    import idna  # noqa: PLC0415 - most states need none of its tables

    return f"{_EDITION} unicode {unicodedata.unidata_version} idna {idna.__version__}"


def is_readable(stored: str) -> bool:
    """Whether this release can look up keys of an edition."""
    return stored == edition(lasting=True) or (
        stored.startswith(f"{_EDITION} ") and stored == edition(lasting=False)
    )


def _texts(resource: Resource) -> tuple[str, ...]:
    match resource:
        case Connector():
            own = (resource.email_address,) if resource.email_address else ()
            return (*own, *resource.also_sends_as)
        case Group():
            return resource.members.users
        case _:
            return ()
