"""Ports and TLS: the mode fits the port, and no credentials go in plain text."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

from reconciler.config.build import IMPLICIT_PORTS
from reconciler.config.checks.finding import Finding
from reconciler.model.connector import Security
from reconciler.model.protocol import Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.config.checks.finding import Check
    from reconciler.config.resolved import Endpoint, ResolvedConfiguration

_PORTS: Final[dict[Protocol, frozenset[int]]] = {
    Protocol.IMAP: frozenset({143, 993}),
    Protocol.SMTP: frozenset({25, 465, 587, 2525}),
}
_UPGRADE_ONLY: Final = frozenset({143, 587})
_ALSO: Final = dict.fromkeys(_UPGRADE_ONLY, Security.NONE)
"""Plain text, which any port may speak; it is reported separately."""
_SPEAKS: Final = {
    Security.IMPLICIT: "speaks TLS from the first byte",
    Security.STARTTLS: "starts in plain text",
    Security.NONE: "speaks plain text",
}


_Problem = tuple[str, str, str, str]
"""The rule, field, message and hint for a problem of an account."""


def connector_ports(subject: ResolvedConfiguration) -> Iterator[Finding]:
    """Port, ``use_ssl`` and ``security`` of a connector agree."""
    for case in subject.cases:
        for side in case.sides:
            for rule, field, message, hint in _of_side(side):
                yield Finding(rule, case.entry.raw, side.route(field), message, hint)


def provider_ports(subject: ResolvedConfiguration) -> Iterator[Finding]:
    """Port and ``security`` of a provider fit each other; both are written there."""
    for entry in subject.catalogue.providers.values():
        accounts = tuple(Protocol)
        for protocol in accounts:
            account = getattr(entry.value, protocol)
            if account is None:
                continue
            if found := _wrong_protocol(protocol, account.port) or _unusual(
                account.port, account.security, "port"
            ):
                rule, _, message, hint = found
                yield Finding(rule, entry.raw, (protocol, "port"), message, hint)


def _of_side(side: Endpoint) -> Iterator[_Problem]:
    written, server = side.written, side.server
    if written.use_ssl is not None and written.security is not None:
        encrypted = written.security is not Security.NONE
        if written.use_ssl is not encrypted:
            message = "`use_ssl` and `security` contradict each other."
            hint = "Keep `security` and delete `use_ssl`."
            yield "tls/contradiction", "security", message, hint
            return
    if server.port is None:
        return
    if found := _wrong_protocol(side.protocol, server.port):
        yield found
        return
    if written.security is not None:
        if found := _unusual(server.port, server.security, "security"):
            yield found
    elif not _as_provided(side) and (found := _contradiction(server.port, server.security)):
        yield found
        return
    if server.security is None and written.use_ssl:
        message = f"On port {server.port}, `use_ssl: true` is ambiguous: it can mean implicit TLS or STARTTLS."
        hint = "Write `security: implicit` or `security: starttls` instead."
        yield "tls/mode", "use_ssl", message, hint
    elif server.security is Security.NONE and not _is_loopback(server.server):
        yield from _in_the_clear(side)


def _as_provided(side: Endpoint) -> bool:
    """Whether port and mode are those that the provider declares: `provider_ports` checks them there."""
    known, server = side.defaults, side.server
    return known is not None and (known.port, known.security) == (server.port, server.security)


def _in_the_clear(side: Endpoint) -> Iterator[_Problem]:
    """What others can read in transit: a password, or, without a sign-in, the mail."""
    field = "security" if side.written.security is not None else "use_ssl"
    if not side.server.signs_in:
        message = "The mail would travel without TLS, readable by everybody on the way."
        hint = "Use `security: starttls` if the server offers it; no credential travels here."
        yield "tls/cleartext-mail", field, message, hint
    elif not side.server.allow_cleartext_auth:
        message = "The password would be sent without TLS, readable by anyone on the network path."
        hint = "Use TLS; if only you use this network, set `allow_cleartext_auth: true`."
        yield "tls/cleartext", field, message, hint


def _wrong_protocol(protocol: Protocol, port: int) -> _Problem | None:
    other = Protocol.SMTP if protocol is Protocol.IMAP else Protocol.IMAP
    if port not in _PORTS[other]:
        return None
    message = f"Port {port} is one of {other.upper()}, but this is `{protocol}`."
    hint = "The usual ones are 993 for IMAP, and 465 or 587 for SMTP."
    return "tls/wrong-protocol", "port", message, hint


def _contradiction(port: int, security: Security | None) -> _Problem | None:
    """A mode that follows from ``use_ssl`` but does not fit the port (RFC 8314 section 3)."""
    usual = _usual(port)
    if usual is None or security in (None, usual, _ALSO.get(port)):
        return None
    message = f"Port {port} {_SPEAKS[usual]}, and `security` is {security}."
    return "tls/contradiction", "port", message, f"Use `security: {usual}`, or another port."


def _unusual(port: int, security: Security | None, field: str) -> _Problem | None:
    """An explicit mode that few servers offer on that port."""
    found = _contradiction(port, security)
    if found is None:
        return None
    message = f"Port {port} {_SPEAKS[_usual(port) or Security.NONE]} at most servers, and `security` is {security}."
    hint = f"Leave it if the server is one of the few; most want `security: {_usual(port)}`."
    return "tls/unusual-mode", field, message, hint


def _usual(port: int) -> Security | None:
    if port in IMPLICIT_PORTS:
        return Security.IMPLICIT
    return Security.STARTTLS if port in _UPGRADE_ONLY else None


def _is_loopback(host: str | None) -> bool:
    if host is None or host.casefold().rstrip(".") == "localhost":
        return True  # another check reports a missing server
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


CHECKS: Final[tuple[Check, ...]] = (connector_ports, provider_ports)
