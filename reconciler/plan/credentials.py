"""The destinations of credentials, and whether an apply would send one somewhere new.

A pull request could point a connector at its author's host without changing the secret reference: the
credential would be delivered there. A new connector could do the same with the reference of an old one,
or with any other secret of the pipeline. Therefore every pair of a reference and a destination that was
never applied is listed, across the whole configuration. The state also remembers the pairs of deleted
connectors. References are compared by their target: two spellings of one file are one secret and, once
secrets are resolved, so are two references to the same value.
"""

from __future__ import annotations

from heapq import nsmallest
from typing import TYPE_CHECKING, Final, TypeAlias, assert_never

from msgspec import Struct

from reconciler.model.application import Application
from reconciler.model.connector import Connector
from reconciler.model.credential_use import GATEWAY, HTTPS, CredentialUse, Destination
from reconciler.model.directory import Group, Roles
from reconciler.model.domain import domain_key
from reconciler.model.permissions import Permissions
from reconciler.model.policy import GlobalSmtpPolicy
from reconciler.model.provider import Provider
from reconciler.wording import TO_ACT_ON

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from reconciler.model.address import Address
    from reconciler.model.connector import MailServer
    from reconciler.model.fingerprint import Fingerprint
    from reconciler.model.resource import Resource
    from reconciler.model.secret_ref import SecretRef
    from reconciler.model.snapshot import Snapshot, StoredState


class NewCredentialUse(Struct, frozen=True):
    """A reference, and a destination where it was never applied.

    ``connector`` is the name of the connector; with the protocol ``gateway``, that of the application.

    ``before`` are those where it, or its value, was applied; empty if never. Of many, those of the same
    user come first, and ``others`` counts the rest. ``same_as`` are other references known to hold the
    same secret. ``provider`` is the connector's, if it lists the host of ``after``.
    """

    connector: str
    protocol: str
    reference: SecretRef
    before: tuple[Destination, ...]
    after: Destination
    others: int = 0
    same_as: tuple[SecretRef, ...] = ()
    provider: str = ""


Identify: TypeAlias = "Callable[[SecretRef], str]"
"""Maps all spellings of a reference to one name."""


def new_uses(
    current: StoredState,
    desired: Snapshot,
    identify: Identify,
    values: Iterable[tuple[SecretRef, Fingerprint]] = (),
    providers: Iterable[Provider] = (),
    *,
    changed: frozenset[Address] | None = None,
) -> tuple[NewCredentialUse, ...]:
    """Every use of a reference at a destination where it was never applied, nor with weaker TLS.

    ``providers`` are those that connectors may use. ``values`` are keyed MACs of the secrets that were
    resolved: a reference that holds another one's secret may go where that one was applied, too.
    ``changed`` are the resources that differ from the stored ones, if known: apart from them, only
    those that hold another reference's secret can have new uses.
    """
    held = _Values(current, identify, values)
    examined = desired.resources
    if changed is not None:
        there = desired.by_address
        touched = {id(there[address]) for address in changed if address in there}
        examined = tuple(
            item
            for item in (examined if touched or held else ())
            if id(item) in touched or held.concern(item)
        )
    if not examined:
        return ()
    asked = {identify(reference) for item in examined for _, reference, _ in uses(item)}
    applied = _known(current, identify, asked)
    known = {identity: _Known(places) for identity, places in applied.items()}
    hosts = {item.name: item.hosts for item in providers}
    found: dict[NewCredentialUse, None] = {}
    for resource in examined:
        for protocol, reference, destination in uses(resource):
            other = held.of(reference)
            places = known.get(identify(reference), _NOWHERE)
            if places.cover(destination):
                if other is None or other.known.cover(destination):
                    continue
                places = other.known
            use = NewCredentialUse(
                resource.address.name,
                protocol,
                reference,
                places.before(destination),
                destination,
                places.others,
                other.references if other is not None else (),
                provider_at(resource, destination, hosts),
            )
            found[use] = None
    return tuple(found)


def provider_at(
    resource: Resource, destination: Destination, hosts: Mapping[str, frozenset[str]]
) -> str:
    """The provider of a connector if it lists the destination's host; else empty."""
    name = resource.provider if isinstance(resource, Connector) else None
    return name if name and domain_key(destination.host_name) in hosts.get(name, ()) else ""


class _Value(Struct, frozen=True):
    """A secret that was applied under other references: those references, and where."""

    references: tuple[SecretRef, ...]
    known: _Known


class _Values:
    """Finds references to a secret that was applied under another reference."""

    def __init__(
        self,
        current: StoredState,
        identify: Identify,
        values: Iterable[tuple[SecretRef, Fingerprint]],
    ) -> None:
        self._found: dict[SecretRef, _Value] = {}
        resolved = tuple(values)
        if not resolved:
            return
        applied: dict[Fingerprint, list[CredentialUse]] = {}
        for use in current.credential_uses:
            if use.value is not None:
                applied.setdefault(use.value, []).append(use)
        for reference, value in resolved:
            there = applied.get(value, ())
            if not there or any(use.reference == reference for use in there):
                continue
            own = {str(reference), identify(reference)}
            if not any(own & {use.identity, identify(use.reference)} for use in there):
                self._found[reference] = _Value(
                    tuple(sorted({use.reference for use in there})),
                    _Known({use.destination for use in there}),
                )

    def __bool__(self) -> bool:
        return bool(self._found)

    def concern(self, resource: Resource) -> bool:
        """Whether a resource holds one of these references."""
        return not self._found.keys().isdisjoint(_references_of(resource)) if self else False

    def of(self, reference: SecretRef) -> _Value | None:
        """Return the other references to the same secret, and where they were applied."""
        return self._found.get(reference)


class _Known:
    """Where a secret was applied, in the order of display."""

    def __init__(self, places: set[Destination]) -> None:
        self.places = places
        self.others = max(0, len(places) - TO_ACT_ON)
        self._first = sorted(places)[:TO_ACT_ON]
        self._accounts: dict[tuple[str, str], list[Destination]] | None = None
        self._by_user: dict[str, list[Destination]] = {}
        if self.others:
            for place in places:
                self._by_user.setdefault(place.username, []).append(place)

    def cover(self, destination: Destination) -> bool:
        """Whether the secret was applied there, or at the same place with weaker TLS."""
        if destination in self.places:
            return True
        if self._accounts is None:
            self._accounts = {}
            for place in self.places:
                self._accounts.setdefault((place.host, place.username), []).append(place)
        same = self._accounts.get((destination.host, destination.username), ())
        return any(destination.protects_better_than(place) for place in same)

    def before(self, after: Destination) -> tuple[Destination, ...]:
        """The earlier destinations to show beside ``after``."""
        same_user = nsmallest(TO_ACT_ON, self._by_user.get(after.username, ()))
        return tuple(dict.fromkeys((*same_user, *self._first)))[:TO_ACT_ON]


_NOWHERE: Final = _Known(set())


def _known(
    current: StoredState, identify: Identify, asked: AbstractSet[str]
) -> dict[str, set[Destination]]:
    """Where these secrets were applied."""
    known: dict[str, set[Destination]] = {}
    for item in current.resources:
        if asked.isdisjoint(map(identify, _references_of(item.resource))):
            continue
        for _, reference, destination in uses(item.resource):
            known.setdefault(identify(reference), set()).add(destination)
    for use in current.credential_uses:
        for identity in (use.identity, identify(use.reference)):
            if identity in asked:
                known.setdefault(identity, set()).add(use.destination)
    return known


def _references_of(resource: Resource) -> tuple[SecretRef, ...]:
    if isinstance(resource, Connector):
        return resource.references
    return (resource.password,) if isinstance(resource, Application) else ()


def uses(resource: Resource) -> Iterable[tuple[str, SecretRef, Destination]]:
    """What a resource sends where: the protocol, the reference, the destination.

    The password of an application is sent nowhere, but anybody who knows it can use the gateway. So it
    counts as a destination, which must be allowed like any other: a reference to something guessable,
    or a new user for the same password, needs a decision.
    """
    match resource:
        case Connector():
            return _uses_of(resource)
        case Application():
            place = Destination(GATEWAY, 0, GATEWAY, resource.user)
            return ((GATEWAY, resource.password, place),)
        case Provider() | Group() | Roles() | Permissions() | GlobalSmtpPolicy():
            return ()
        case _:
            assert_never(resource)


def sent_by(connector: Connector) -> Iterator[SecretRef]:
    """Yield the references of everything that a connector sends, to any destination."""
    for _, server in _accounts(connector):
        yield from server.references


def _accounts(connector: Connector) -> Iterator[tuple[str, MailServer]]:
    if connector.draft:
        return
    if connector.imap is not None and connector.imap.complete:
        yield "imap", connector.imap
    sends = connector.enable_mail_send_from
    if sends and connector.smtp is not None and connector.smtp.complete:
        yield "smtp", connector.smtp


def _uses_of(connector: Connector) -> Iterator[tuple[str, SecretRef, Destination]]:
    for protocol, server in _accounts(connector):
        destination = _destination(server)
        for reference in server.references:
            yield protocol, reference, destination
            if server.oauth2 is not None and server.oauth2.token_endpoint:
                yield protocol, reference, _token_endpoint(server.oauth2.token_endpoint)


def _destination(server: MailServer) -> Destination:
    return Destination(
        domain_key(server.server or ""),
        server.port or 0,
        str(server.security),
        server.username or "",
    )


def _token_endpoint(url: str) -> Destination:
    return Destination(url, 443, HTTPS, "an OAuth 2.0 client")
