"""Guessed servers of a domain, each tried by a connection with verified TLS and without a credential."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Final

from reconciler.discovery.found import FoundServer
from reconciler.mail.faults import Cancelled, MailFault
from reconciler.mail.resolve import ascii_host, resolve
from reconciler.mail.tls import shared_context
from reconciler.mail.wire import Wire, WireLimits
from reconciler.model.connector import Security
from reconciler.model.protocol import Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.mail.deadline import Deadline
    from reconciler.mail.dial import ConnectTo

_LIMITS: Final = WireLimits(line=8 * 1024, total=64 * 1024)
_SHARE: Final = 0.2
"""The share of the remaining time for one attempt, so that a silent host does not use it all."""

NAMES: Final = {Protocol.IMAP: ("imap", "mail"), Protocol.SMTP: ("smtp", "mail")}
PORTS: Final = {
    Protocol.IMAP: ((993, Security.IMPLICIT), (143, Security.STARTTLS)),
    Protocol.SMTP: ((465, Security.IMPLICIT), (587, Security.STARTTLS)),
}
"""Ports by protocol, implicit TLS first (RFC 8314 section 3)."""


def candidates(protocol: Protocol, domain: str) -> Iterator[FoundServer]:
    """The servers to try, in order."""
    for port, security in PORTS[protocol]:
        for name in NAMES[protocol]:
            yield FoundServer(protocol, f"{name}.{domain}", port, security)


def first_that_answers(
    protocol: Protocol, domain: str, connect_to: ConnectTo, ca_file: str | None, deadline: Deadline
) -> FoundServer | None:
    """The first candidate that speaks the protocol and shows a valid certificate for its name."""
    for candidate in candidates(protocol, domain):
        try:
            if _answers(candidate, connect_to, ca_file, deadline.part(_SHARE)):
                return candidate
        except Cancelled:
            raise
        except (MailFault, ssl.SSLError):
            continue  # no such host, no answer, or no certificate for that name: try the next one
    return None


def _answers(
    server: FoundServer, connect_to: ConnectTo, ca_file: str | None, deadline: Deadline
) -> bool:
    host = ascii_host(server.host)
    endpoints = resolve(*connect_to.target(host, server.port), deadline)
    wire = Wire.connect(endpoints, deadline, _LIMITS)
    try:
        context = shared_context(ca_file)
        if server.security is Security.IMPLICIT:
            wire.start_tls(context, host)
        _greet(server, wire, context, host)
        return wire.encrypted
    finally:
        wire.close()


def _greet(server: FoundServer, wire: Wire, context: ssl.SSLContext, host: str) -> None:
    """Check that the server speaks the protocol, and upgrade with STARTTLS if needed."""
    upgrade = server.security is Security.STARTTLS
    if server.protocol is Protocol.IMAP:
        from reconciler.mail.imap import ImapSession  # noqa: PLC0415 - SMTP alone needs no imapclient

        imap = ImapSession(wire, upgrade=upgrade)
        if upgrade:
            imap.start_tls(context, host)
        return
    from reconciler.mail.smtp import SmtpSession  # noqa: PLC0415 - and IMAP alone no smtplib

    smtp = SmtpSession(wire)
    smtp.hello()
    if upgrade:
        smtp.start_tls(context, host)
