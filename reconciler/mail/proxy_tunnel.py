"""A connection through a web proxy: CONNECT (RFC 9110 section 9.3.6), after which the proxy forwards bytes.

The proxy resolves the name of the endpoint. TLS is between us and the endpoint, which is verified as
usual.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Final

from reconciler.mail.faults import (
    Disconnected,
    ProtocolViolation,
    ProxyRefused,
    Unreachable,
    Unresolvable,
)
from reconciler.mail.resolve import resolve
from reconciler.mail.web_proxy import in_brackets
from reconciler.mail.wire import Wire

if TYPE_CHECKING:
    from reconciler.mail.deadline import Deadline
    from reconciler.mail.dial import Place
    from reconciler.mail.happy_eyeballs import Winners
    from reconciler.mail.web_proxy import WebProxy
    from reconciler.mail.wire import WireLimits

_STATUS: Final = re.compile(rb"HTTP/1\.[0-9] ([1-5][0-9]{2})(?: .*)?\r?\n")
_INFORMATIONAL, _SUCCESSFUL = 1, 2
_HEADERS: Final = 200
"""The maximum number of header lines in an answer."""


def tunnel(
    proxy: WebProxy, target: Place, deadline: Deadline, limits: WireLimits, winners: Winners
) -> Wire:
    """Connect to a host and port through the proxy, which resolves the host. Nothing is encrypted yet.

    Raises ProxyRefused for an answer other than 2xx, Unresolvable and Unreachable for the proxy itself,
    TimedOut, or Cancelled.
    """
    try:
        addresses = resolve(proxy.host, proxy.port, deadline)
    except Unresolvable as fault:
        raise Unresolvable(f"the name of the proxy cannot be resolved ({fault})") from None
    try:
        wire = Wire.connect(addresses, deadline, limits, winners)
    except Unreachable as fault:
        raise Unreachable(f"the proxy takes no connection ({fault})") from None
    try:
        _ask(wire, proxy, f"{in_brackets(target[0])}:{target[1]}")
    except ProtocolViolation:
        wire.close()
        raise Unreachable("the proxy does not answer CONNECT as HTTP has it") from None
    except Disconnected:
        wire.close()
        raise Unreachable("the proxy hung up instead of answering CONNECT") from None
    except BaseException:
        wire.close()
        raise
    return wire


def _ask(wire: Wire, proxy: WebProxy, authority: str) -> None:
    """Send CONNECT and read the whole answer; raises ProxyRefused unless it is 2xx, and ProtocolViolation."""
    lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}"]
    if proxy.credentials is not None:
        encoded = base64.b64encode(proxy.credentials.reveal().encode()).decode()
        lines.append(f"Proxy-Authorization: Basic {encoded}")
    wire.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("ascii"))
    while True:
        match = _STATUS.fullmatch(wire.readline())
        if match is None:
            raise ProtocolViolation("no status line")
        for _ in range(_HEADERS):
            if not wire.readline().strip():
                break
        else:
            raise ProtocolViolation("too many header lines")
        status = int(match[1])
        if status // 100 == _SUCCESSFUL:
            return
        if status // 100 != _INFORMATIONAL:
            raise ProxyRefused(status, signed_in=proxy.credentials is not None)
