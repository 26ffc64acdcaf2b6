"""Where each credential goes, and whether a change would send one somewhere new.

A pull request that points a connector at a host of its author's, and leaves the secret reference as
it is, would have the credential delivered there. So would a new connector that borrows the reference
of an old one; therefore references are followed across the whole configuration. And a connector that was made a
draft could come back elsewhere; therefore a draft's references stay known, though it sends nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import nsmallest
from typing import TYPE_CHECKING, Final

from reconciler.model.connector import Connector
from reconciler.model.secret_ref import SecretRef

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.connector import MailServer
    from reconciler.model.snapshot import Snapshot, StoredState

NAMED: Final = 8
"""So many present destinations of a reference are named; one secret may serve thousands of mailboxes."""

_HTTPS = "https"


@dataclass(frozen=True, slots=True, order=True)
class Destination:
    """Who is told a credential: as which user, at which host and port, protected how."""

    host: str
    port: int
    security: str
    username: str

    def __str__(self) -> str:
        if self.security == _HTTPS:
            return f"{self.host} as {self.username}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port} ({self.security}) as {self.username}"


@dataclass(frozen=True, slots=True)
class CredentialRedirect:
    """A known reference, and a destination that nothing stored sends it to.

    ``before`` are those that it is sent to now; none if only drafts have it. Of many, those of the same
    user come first, and ``others`` counts the ones that are not named.
    """

    connector: str
    protocol: str
    reference: SecretRef
    before: tuple[Destination, ...]
    after: Destination
    others: int = 0


def redirects(current: StoredState, wanted: Snapshot) -> tuple[CredentialRedirect, ...]:
    """Every use of a known reference at a destination that is new to it."""
    known = {reference: _Known(places) for reference, places in _known(current).items()}
    found = (
        (connector.name, protocol, reference, destination)
        for connector in wanted.connectors
        for protocol, reference, destination in _uses(connector)
        if reference in known and destination not in known[reference].places
    )
    return tuple(
        CredentialRedirect(
            name,
            protocol,
            reference,
            known[reference].before(after),
            after,
            known[reference].others,
        )
        for name, protocol, reference, after in dict.fromkeys(found)
    )


class _Known:
    """Where a reference is sent to now, in the order in which it is told."""

    def __init__(self, places: set[Destination]) -> None:
        self.places = places
        self.others = max(0, len(places) - NAMED)
        self._first = sorted(places)[:NAMED]
        self._by_user: dict[str, list[Destination]] = {}
        if self.others:
            for place in places:
                self._by_user.setdefault(place.username, []).append(place)

    def before(self, after: Destination) -> tuple[Destination, ...]:
        """The destinations to name beside ``after``."""
        same_user = nsmallest(NAMED, self._by_user.get(after.username, ()))
        return tuple(dict.fromkeys((*same_user, *self._first)))[:NAMED]


def _known(current: StoredState) -> dict[SecretRef, set[Destination]]:
    known: dict[SecretRef, set[Destination]] = {}
    for item in current.resources:
        connector = item.resource
        if not isinstance(connector, Connector):
            continue
        # What a draft refers to was never sent, unless a fingerprint tells that it once was in use.
        for reference in dict(item.fingerprints) if connector.draft else connector.references:
            known.setdefault(reference, set())
        for _, reference, destination in _uses(connector):
            known[reference].add(destination)
    return known


def _uses(connector: Connector) -> Iterator[tuple[str, SecretRef, Destination]]:
    if connector.draft:
        return
    for protocol, server in (
        ("imap", connector.imap),
        ("smtp", connector.smtp if connector.enable_mail_send_from else None),
    ):
        if server is None or not server.complete:
            continue
        for reference in server.references:
            yield protocol, reference, _destination(server)
            if server.oauth2 is not None and server.oauth2.token_endpoint:
                yield protocol, reference, _token_endpoint(server.oauth2.token_endpoint)


def _destination(server: MailServer) -> Destination:
    return Destination(
        (server.server or "").casefold(),
        server.port or 0,
        str(server.security),
        server.username or "",
    )


def _token_endpoint(url: str) -> Destination:
    return Destination(url, 443, _HTTPS, "an OAuth 2.0 client")
