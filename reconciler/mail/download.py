"""Downloads a small file over HTTPS, with limits on size, time and redirections."""

from __future__ import annotations

import ssl
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urljoin, urlsplit

from reconciler.mail.faults import ProtocolViolation
from reconciler.mail.https import SharedWire
from reconciler.mail.resolve import ascii_host, resolve
from reconciler.mail.tls import shared_context
from reconciler.mail.wire import Wire, WireLimits

if TYPE_CHECKING:
    from urllib.parse import SplitResult

    from reconciler.mail.deadline import Deadline
    from reconciler.mail.dial import ConnectTo

MOST_REDIRECTIONS: Final = 3
_HEADERS: Final = 64 * 1024
_PORT: Final = 443
_OK: Final = 200
_MOVED: Final = frozenset({301, 302, 303, 307, 308})


def download(
    url: str, deadline: Deadline, connect_to: ConnectTo, ca_file: str | None, *, largest: int
) -> bytes:
    """Download a file of at most ``largest`` octets; sends no cookie, credential or referrer.

    Redirections may lead only to https URLs on port 443, and to host names, so that no site can make
    this machine contact an internal IP address. Raises MailFault, or :class:`ssl.SSLError` as it comes.
    """
    for _ in range(MOST_REDIRECTIONS + 1):
        status, location, body = _get(_parts(url), deadline, connect_to, ca_file, largest)
        if status == _OK:
            return body
        if status not in _MOVED:
            raise ProtocolViolation(f"HTTP {status}")
        url = _joined(url, location)
    raise ProtocolViolation(f"more than {MOST_REDIRECTIONS} redirections")


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        raise ProtocolViolation("a redirection to an invalid URL") from None


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ProtocolViolation("a redirection to an invalid URL") from None
    host = ascii_host(parts.hostname or "")
    if parts.scheme != "https" or port not in {None, _PORT} or parts.username is not None:
        raise ProtocolViolation("a redirection to something other than plain https")
    last = host.rpartition(".")[2]
    if last in {"", host} or not last[0].isalpha():  # 127.0.0.1, 0x7f.1 and [::1] are numbers
        raise ProtocolViolation("a redirection to something other than a host name")
    return parts


def _get(
    parts: SplitResult,
    deadline: Deadline,
    connect_to: ConnectTo,
    ca_file: str | None,
    largest: int,
) -> tuple[int, str, bytes]:
    host = ascii_host(parts.hostname or "")
    limits = WireLimits(line=_HEADERS, total=_HEADERS + largest)
    wire = Wire.connect(resolve(*connect_to.target(host, _PORT), deadline), deadline, limits)
    try:
        wire.start_tls(shared_context(ca_file), host)
        connection = HTTPConnection(host)
        sock: Any = SharedWire(wire)
        connection.sock = sock
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", path, headers={"Connection": "close"})
        response = connection.getresponse()
        body = response.read() if response.status == _OK else b""
        if len(body) > largest:
            raise ProtocolViolation(f"a file of more than {largest} octets")
        return response.status, response.getheader("Location", ""), body
    except ssl.SSLError:  # certificate errors are ValueErrors too
        raise
    except (HTTPException, ValueError):
        raise ProtocolViolation("an answer that is not HTTP") from None
    finally:
        wire.close()
