"""Servers that a domain names in SRV records: RFC 6186, and for implicit TLS of submission RFC 8314."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.discovery.found import FoundServer
from reconciler.model.connector import Security
from reconciler.model.protocol import Protocol

if TYPE_CHECKING:
    from reconciler.discovery.dns import Records
    from reconciler.mail.deadline import Deadline

SERVICES: Final = (
    (Protocol.IMAP, "_imaps._tcp", Security.IMPLICIT),
    (Protocol.IMAP, "_imap._tcp", Security.STARTTLS),
    (Protocol.SMTP, "_submissions._tcp", Security.IMPLICIT),
    (Protocol.SMTP, "_submission._tcp", Security.STARTTLS),
)
"""The services of a mailbox; for each protocol, the first offered one is used (RFC 8314 section 5.1)."""


def servers_of(domain: str, records: Records, deadline: Deadline) -> dict[Protocol, FoundServer]:
    """The servers of a domain, by protocol. Raises LookupFailed."""
    found: dict[Protocol, FoundServer] = {}
    for protocol, service, security in SERVICES:
        if protocol in found:
            continue
        targets = records.srv(f"{service}.{domain}", deadline)
        if targets:
            found[protocol] = FoundServer(protocol, targets[0].host, targets[0].port, security)
    return found
