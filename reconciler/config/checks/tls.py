"""Ports and TLS: a mode that the port speaks, and no credentials in plain text."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

from reconciler.config.build import IMPLICIT_PORTS
from reconciler.config.checks.finding import Finding
from reconciler.model.connector import Security

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.config.checks.finding import Check
    from reconciler.config.resolved import Endpoint, Protocol, ResolvedConfiguration

_PORTS: Final[dict[Protocol, frozenset[int]]] = {
    "imap": frozenset({143, 993}),
    "smtp": frozenset({25, 465, 587, 2525}),
}
_UPGRADE_ONLY: Final = frozenset({143, 587})


def connector_ports(subject: ResolvedConfiguration) -> Iterator[Finding]:
    """Port, ``use_ssl`` and ``security`` of a connector say the same."""
    for case in subject.cases:
        for side in case.sides:
            found = _of_side(side)
            if found is not None:
                rule, field, message, hint = found
                yield Finding(rule, case.entry.raw, side.route(field), message, hint)


def provider_ports(subject: ResolvedConfiguration) -> Iterator[Finding]:
    """Port and ``security`` of a provider say the same."""
    for entry in subject.catalogue.providers.values():
        accounts: tuple[Protocol, ...] = ("imap", "smtp")
        for protocol in accounts:
            account = getattr(entry.value, protocol)
            if account is None:
                continue
            if found := _contradiction(protocol, account.port, account.security):
                rule, message, hint = found
                yield Finding(rule, entry.raw, (protocol, "port"), message, hint)


def _of_side(side: Endpoint) -> tuple[str, str, str, str] | None:
    """The rule, the field, the message and the hint of what is wrong with a half."""
    written, server = side.written, side.server
    field = "security" if written.security is not None else "port"
    if written.use_ssl is not None and written.security is not None:
        encrypted = written.security is not Security.NONE
        if written.use_ssl is not encrypted:
            message = "`use_ssl` and `security` contradict each other."
            return "tls/contradiction", "security", message, "Keep `security` and delete `use_ssl`."
    if server.port is None:
        return None
    if found := _contradiction(side.protocol, server.port, server.security):
        rule, message, hint = found
        return rule, "port" if rule == "tls/wrong-protocol" else field, message, hint
    if server.security is None and written.use_ssl:
        message = f"On port {server.port}, `use_ssl: true` does not say which kind of TLS is meant."
        hint = "Write `security: implicit` or `security: starttls` instead."
        return "tls/mode", "use_ssl", message, hint
    if server.security is Security.NONE and not _is_loopback(server.server):
        return _in_the_clear(side)
    return None


def _in_the_clear(side: Endpoint) -> tuple[str, str, str, str] | None:
    """What others on the way can read: a password, or without a sign-in the mail."""
    field = "security" if side.written.security is not None else "use_ssl"
    if not side.server.signs_in:
        message = "The mail would travel without TLS, readable by everybody on the way."
        hint = "Use `security: starttls` if the server offers it; no credential travels here."
        return "tls/cleartext-mail", field, message, hint
    if side.server.allow_cleartext_auth:
        return None
    message = "The password would travel without TLS, readable by everybody on the way."
    hint = "Use TLS; if this network is yours alone, set `allow_cleartext_auth: true`."
    return "tls/cleartext", field, message, hint


def _contradiction(
    protocol: Protocol, port: int, security: Security | None
) -> tuple[str, str, str] | None:
    """The rule, the message and the hint of a port that does not fit (RFC 8314 section 3)."""
    other: Protocol = "smtp" if protocol == "imap" else "imap"
    if port in _PORTS[other]:
        message = f"Port {port} is one of {other.upper()}, and this is the {protocol.upper()} half."
        hint = "The usual ones are 993 for IMAP, and 465 or 587 for SMTP."
        return "tls/wrong-protocol", message, hint
    if port in IMPLICIT_PORTS and security in {Security.STARTTLS, Security.NONE}:
        message = f"Port {port} speaks TLS from the first byte, and `security` is {security}."
        return "tls/contradiction", message, "Use `security: implicit`, or another port."
    if port in _UPGRADE_ONLY and security is Security.IMPLICIT:
        message = f"Port {port} starts in plain text, and `security` is {security}."
        return "tls/contradiction", message, "Use `security: starttls`, or another port."
    return None


def _is_loopback(host: str | None) -> bool:
    if host is None or host.casefold().rstrip(".") == "localhost":
        return True  # a missing server is told elsewhere
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


CHECKS: Final[tuple[Check, ...]] = (connector_ports, provider_ports)
