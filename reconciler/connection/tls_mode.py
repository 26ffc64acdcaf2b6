"""Detects a server's actual TLS mode, without a credential.

A client that starts TLS on a plain-text port gets an invalid answer at once. A client that
waits for a greeting on a TLS port waits forever, because the server waits too.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from reconciler.mail.faults import Cancelled, MailFault
from reconciler.mail.resolve import ascii_host
from reconciler.mail.tls import chain, unverified_context
from reconciler.mail.wire import Wire, WireLimits
from reconciler.model.connector import Security
from reconciler.model.protocol import Protocol

if TYPE_CHECKING:
    from reconciler.mail.deadline import Deadline
    from reconciler.mail.resolve import ResolvedAddress
    from reconciler.mail.tls import Certificate

_LIMITS = WireLimits(line=8 * 1024, total=64 * 1024)

_NOT_TLS = frozenset(
    {
        "WRONG_VERSION_NUMBER",
        "RECORD_LAYER_FAILURE",
        "PACKET_LENGTH_TOO_LONG",
        "UNKNOWN_PROTOCOL",
        "HTTP_REQUEST",
        "BAD_RECORD_TYPE",
        "UNEXPECTED_MESSAGE",
    }
)


def is_not_tls(error: ssl.SSLError) -> bool:
    """Whether a handshake failed because the peer does not speak TLS."""
    return error.reason in _NOT_TLS


def speaks_tls(
    endpoints: tuple[ResolvedAddress, ...], host: str, context: ssl.SSLContext, deadline: Deadline
) -> bool:
    """Whether the server speaks TLS at once; an invalid certificate counts as well."""
    try:
        wire = Wire.connect(endpoints, deadline, _LIMITS)
    except Cancelled:
        raise
    except MailFault:
        return False
    try:
        wire.start_tls(context, ascii_host(host))
    except ssl.SSLCertVerificationError:
        return True
    except Cancelled:
        raise
    except (ssl.SSLError, MailFault):
        return False
    finally:
        wire.close()
    return True


def spoken_mode(
    protocol: Protocol, endpoints: tuple[ResolvedAddress, ...], host: str, deadline: Deadline
) -> Security | None:
    """The actual mode of a server, whatever is configured; None if unknown.

    A plain-text greeting arrives at once or never, so waiting for it gets half of the time.
    """
    plain = speaks_plainly(protocol, endpoints, deadline.part(0.5))
    if plain is not None:
        return plain
    context = unverified_context()
    return Security.IMPLICIT if speaks_tls(endpoints, host, context, deadline) else None


def presented_chain(
    protocol: Protocol,
    endpoints: tuple[ResolvedAddress, ...],
    host: str,
    mode: Security,
    deadline: Deadline,
) -> tuple[Certificate, ...]:
    """The certificates that a server sends, trusted or not; empty if none.

    For examining a rejected chain: nothing else is sent over this connection.
    """
    context, name = unverified_context(), ascii_host(host)
    try:
        wire = Wire.connect(endpoints, deadline, _LIMITS)
    except Cancelled:
        raise
    except MailFault:
        return ()
    try:
        if mode is Security.STARTTLS:
            _upgrade(protocol, wire, context, name)
        else:
            wire.start_tls(context, name)
        return chain(wire.tls) if wire.tls is not None else ()
    except Cancelled:
        raise
    except (ssl.SSLError, MailFault):
        return ()
    finally:
        wire.close()


def _upgrade(protocol: Protocol, wire: Wire, context: ssl.SSLContext, name: str) -> None:
    if protocol is Protocol.IMAP:
        from reconciler.mail.imap import ImapSession  # noqa: PLC0415 - as below

        ImapSession(wire, upgrade=True).start_tls(context, name)
        return
    from reconciler.mail.smtp import SmtpSession  # noqa: PLC0415 - as below

    session = SmtpSession(wire)
    session.hello()
    session.start_tls(context, name)


def speaks_plainly(
    protocol: Protocol, endpoints: tuple[ResolvedAddress, ...], deadline: Deadline
) -> Security | None:
    """STARTTLS or none if the server greets in plain text; None if it does not greet at all."""
    try:
        wire = Wire.connect(endpoints, deadline, _LIMITS)
    except Cancelled:
        raise
    except MailFault:
        return None
    try:
        capabilities = _capabilities(protocol, wire)
    except Cancelled:
        raise
    except MailFault:
        return None
    finally:
        wire.close()
    return Security.STARTTLS if "STARTTLS" in capabilities else Security.NONE


def _capabilities(protocol: Protocol, wire: Wire) -> frozenset[str]:
    if protocol is Protocol.IMAP:
        from reconciler.mail.imap import ImapSession  # noqa: PLC0415 - SMTP alone needs no imapclient

        return ImapSession(wire).capabilities
    from reconciler.mail.smtp import SmtpSession  # noqa: PLC0415 - and IMAP alone no smtplib

    session = SmtpSession(wire)
    session.hello()
    return session.capabilities
