"""Where each credential goes, and whether a change would send one somewhere new.

A pull request that points a connector at a host of its author's, and leaves the secret reference as
it is, would have the credential delivered there. So would a new connector that borrows the reference
of an old one; therefore references are followed across the whole configuration.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.model.secret_ref import SecretRef

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.connector import Connector, MailServer
    from reconciler.model.snapshot import Snapshot


@dataclass(frozen=True, slots=True, order=True)
class Destination:
    """Who is told a credential: as which user, at which host and port, protected how."""

    host: str
    port: int
    security: str
    username: str

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port} ({self.security}) as {self.username}"


@dataclass(frozen=True, slots=True)
class CredentialRedirect:
    """A stored reference, and a destination that it was never applied for."""

    connector: str
    protocol: str
    reference: SecretRef
    before: tuple[Destination, ...]
    after: Destination


def redirects(before: Snapshot, after: Snapshot) -> tuple[CredentialRedirect, ...]:
    """Every use of a known reference at a destination that is new to it."""
    known: dict[SecretRef, set[Destination]] = {}
    for connector in before.connectors:
        for _, reference, destination in _uses(connector):
            known.setdefault(reference, set()).add(destination)
    return tuple(
        CredentialRedirect(
            connector.name, protocol, reference, tuple(sorted(known[reference])), destination
        )
        for connector in after.connectors
        for protocol, reference, destination in _uses(connector)
        if reference in known and destination not in known[reference]
    )


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
    return Destination(url, 443, "https", "an OAuth 2.0 client")
