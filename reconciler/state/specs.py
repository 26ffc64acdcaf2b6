"""Specifications as text: canonical JSON when written, validated when read."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from reconciler.errors import StateCorrupt
from reconciler.model.address import Address, Kind
from reconciler.model.application import Application
from reconciler.model.canonical import canonical_text, digest_of_text
from reconciler.model.connector import Connector
from reconciler.model.directory import Group, Roles
from reconciler.model.permissions import Permissions
from reconciler.model.policy import GlobalSmtpPolicy
from reconciler.model.provider import Provider
from reconciler.model.resource import JSON, Resource, digest
from reconciler.model.validators import Invalid, validated_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.model.credential_use import CredentialUse

_TYPES: dict[Kind, type[Resource]] = {
    Kind.PROVIDER: Provider,
    Kind.GROUP: Group,
    Kind.ROLES: Roles,
    Kind.EMAIL_CONNECTOR: Connector,
    Kind.PERMISSIONS: Permissions,
    Kind.GLOBAL_SMTP_POLICY: GlobalSmtpPolicy,
    Kind.APPLICATION: Application,
}
_KINDS: Final = {str(kind): kind for kind in Kind}
_NONE: Final[Mapping[str, Resource]] = MappingProxyType({})
_HINT = "restore the state from a backup; a newer release may say more about it"


def encode(resource: Resource) -> str:
    """The canonical JSON of a resource's specification."""
    return canonical_text(resource)


def digest_of(text: str) -> str:
    """The digest of canonical JSON text, equal to that of the value it represents."""
    return digest_of_text(text)


def address_of(kind: str, name: str) -> Address:
    """Read an address from its columns; raises StateCorrupt for a kind that does not exist."""
    known = _KINDS.get(kind)
    if known is None:
        raise StateCorrupt(
            f"the state holds a resource of an unknown kind, {kind}.{name}", hint=_HINT
        )
    return Address(known, name)


def decode(address: Address, text: str, expected: str, like: Resource | None = None) -> Resource:
    """Read a resource back, reusing ``like`` if it is equal.

    Raises StateCorrupt, naming the address, if it differs from what was written.
    """
    if digest_of(text) != expected:
        raise StateCorrupt(
            f"the stored specification of {address} does not match its digest", hint=_HINT
        )
    return read(address, text, like)


class Specifications:
    """Reads resources back, each text once where a state is read again: to prove an apply, or as it was earlier.

    ``before`` are those that were read then, by the digest of their text, and ``found`` those that are read now.
    """

    __slots__ = ("_before", "found")

    def __init__(self, before: Mapping[str, Resource] = _NONE) -> None:
        self._before = before
        self.found: dict[str, Resource] = {}

    def decode(self, address: Address, text: str, expected: str, like: Resource | None) -> Resource:
        """As :func:`decode`."""
        known = self._before.get(expected)
        if known is None or known.address != address or digest_of(text) != expected:
            known = decode(address, text, expected, like)
        self.found[expected] = known
        return known

    def read(self, address: Address, text: str, like: Resource | None) -> Resource:
        """As :func:`read`: most resources of an earlier revision are those of the newest one."""
        known = self._before.get(digest_of(text))
        if known is None or known.address != address:
            known = read(address, text, like)
        return known


def read(address: Address, text: str, like: Resource | None = None) -> Resource:
    """Read a resource that was stored without a digest, reusing ``like`` if it is equal; raises StateCorrupt."""
    if like is not None and encode(like) == text:
        return like
    try:
        resource = validated_text(_TYPES[address.kind], text)
    except Invalid as error:
        where = ".".join(map(str, error.route)) or "the whole"
        raise StateCorrupt(
            f"the stored specification of {address} cannot be read: {where}: {error.reason}",
            hint=_HINT,
        ) from None
    if resource.address != address:
        raise StateCorrupt(f"what is stored as {address} is {resource.address}", hint=_HINT)
    return resource


def use_row(use: CredentialUse) -> dict[str, JSON]:
    """The columns of a remembered use of a secret, except its time."""
    place, value = use.destination, use.value
    row: dict[str, JSON] = {
        "reference": str(use.reference),
        "identity": use.identity,
        "host": place.host,
        "port": place.port,
        "security": place.security,
        "username": place.username,
        "key_id": value.key_id if value else "",
        "mac": value.mac if value else "",
    }
    return {"id": digest(row), **row}
