"""Where each credential goes, and whether an apply would send one somewhere new.

A pull request that points a connector at a host of its author's, and leaves the secret reference as
it is, would have the credential delivered there. So would a new connector that borrows the reference of
an old one, or names any other secret of the pipeline. Therefore every pair of a reference and a
destination that was never applied is listed, across the whole configuration. References compare by what
they lead to: two spellings of one file are one secret.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import nsmallest
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import urlsplit

from reconciler.model.connector import Connector
from reconciler.model.domain import domain_key, with_a_label
from reconciler.model.secret_ref import SecretRef
from reconciler.wording import TO_ACT_ON

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reconciler.model.connector import MailServer
    from reconciler.model.snapshot import Snapshot, StoredState

"""So many present destinations of a reference are named; one secret may serve thousands of mailboxes."""

_HTTPS = "https"


@dataclass(frozen=True, slots=True, order=True)
class Destination:
    """Who is told a credential: as which user, at which host and port, protected how."""

    host: str
    port: int
    security: str
    username: str

    @property
    def host_name(self) -> str:
        """The host that rules are about; for a token endpoint, the one of its URL."""
        return urlsplit(self.host).hostname or "" if self.security == _HTTPS else self.host

    def __str__(self) -> str:
        if self.security == _HTTPS:
            return f"{with_a_label(self.host)} as {self.username}"
        host = f"[{self.host}]" if ":" in self.host else with_a_label(self.host)
        return f"{host}:{self.port} ({self.security}) as {self.username}"


@dataclass(frozen=True, slots=True)
class NewCredentialUse:
    """A reference, and a destination that nothing stored sends it to.

    ``before`` are those that it is sent to now; none if it was never in use. Of many, those of the same
    user come first, and ``others`` counts the ones that are not named.
    """

    connector: str
    protocol: str
    reference: SecretRef
    before: tuple[Destination, ...]
    after: Destination
    others: int = 0


Identify: TypeAlias = "Callable[[SecretRef], str]"
"""Gives a reference the one name that all its spellings have."""


def new_uses(
    current: StoredState, desired: Snapshot, identify: Identify
) -> tuple[NewCredentialUse, ...]:
    """Every use of a reference at a destination where nothing stored uses it."""
    known = {identity: _Known(places) for identity, places in _known(current, identify).items()}
    found = (
        (connector.name, protocol, reference, destination)
        for connector in desired.connectors
        for protocol, reference, destination in uses(connector)
        if destination not in known.get(identify(reference), _NOWHERE).places
    )
    return tuple(
        NewCredentialUse(
            name,
            protocol,
            reference,
            (before := known.get(identify(reference), _NOWHERE)).before(after),
            after,
            before.others,
        )
        for name, protocol, reference, after in dict.fromkeys(found)
    )


class _Known:
    """Where a reference is sent to now, in the order in which it is told."""

    def __init__(self, places: set[Destination]) -> None:
        self.places = places
        self.others = max(0, len(places) - TO_ACT_ON)
        self._first = sorted(places)[:TO_ACT_ON]
        self._by_user: dict[str, list[Destination]] = {}
        if self.others:
            for place in places:
                self._by_user.setdefault(place.username, []).append(place)

    def before(self, after: Destination) -> tuple[Destination, ...]:
        """The destinations to name beside ``after``."""
        same_user = nsmallest(TO_ACT_ON, self._by_user.get(after.username, ()))
        return tuple(dict.fromkeys((*same_user, *self._first)))[:TO_ACT_ON]


_NOWHERE: Final = _Known(set())


def _known(current: StoredState, identify: Identify) -> dict[str, set[Destination]]:
    known: dict[str, set[Destination]] = {}
    for item in current.resources:
        connector = item.resource
        if not isinstance(connector, Connector):
            continue
        for _, reference, destination in uses(connector):
            known.setdefault(identify(reference), set()).add(destination)
    return known


def uses(connector: Connector) -> Iterator[tuple[str, SecretRef, Destination]]:
    """Yield what a connector sends where: the protocol, the reference, the destination."""
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
        domain_key(server.server or ""),
        server.port or 0,
        str(server.security),
        server.username or "",
    )


def _token_endpoint(url: str) -> Destination:
    return Destination(url, 443, _HTTPS, "an OAuth 2.0 client")
