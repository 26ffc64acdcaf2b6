"""One POST to a token endpoint, over a connection with a deadline like all others here."""

from __future__ import annotations

import json
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from msgspec import Struct

from reconciler.mail.faults import OutOfOrder, ProtocolViolation
from reconciler.mail.proxy_tunnel import tunnel
from reconciler.mail.resolve import ascii_host, resolve
from reconciler.mail.tls import shared_context
from reconciler.mail.web_proxy import NO_PROXIES
from reconciler.mail.wire import Wire, WireLimits

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.mail.deadline import Deadline
    from reconciler.mail.dial import ConnectTo
    from reconciler.mail.happy_eyeballs import Winners
    from reconciler.mail.web_proxy import ProxySettings

_LIMITS = WireLimits(line=64 * 1024, total=1024 * 1024)
_HTTPS_PORT = 443
_TOO_MANY = 429
_OUT_OF_ORDER = frozenset({_TOO_MANY, *range(500, 600)})
"""Statuses of a server that is overloaded (RFC 6585 section 4) or has an internal error."""


class Response(Struct, frozen=True):
    """The response, with the attributes that Authlib expects."""

    status_code: int
    body: bytes

    def json(self) -> Any:
        """The body as JSON; raises ValueError if it is not JSON."""
        return json.loads(self.body)

    def raise_for_status(self) -> None:
        """Raise OutOfOrder for an overloaded or broken server, else Violation.

        Authlib calls this for such a status, and if the body is not a JSON object.
        """
        if self.status_code == _TOO_MANY:
            raise OutOfOrder(f"it is rate limited (HTTP {self.status_code})")
        if self.status_code in _OUT_OF_ORDER:
            raise OutOfOrder(f"it has failed (HTTP {self.status_code})")
        raise ProtocolViolation(f"The token endpoint answered with HTTP {self.status_code}.")


class _Reader:
    """The reading side for http.client, which checks whether it is closed, and flushes it."""

    def __init__(self, wire: Wire) -> None:
        self.read = wire.read
        self.readline = wire.readline
        self.closed = False

    def close(self) -> None:
        """Note that reading is over."""
        self.closed = True

    def flush(self) -> None:
        """Do nothing: nothing is written here."""


class SharedWire:
    """A wire whose writing side is closed before everything is read, as http.client does."""

    def __init__(self, wire: Wire) -> None:
        self.sendall = wire.sendall
        self._reader = _Reader(wire)

    def makefile(self, *_: object) -> _Reader:
        """The reading side."""
        return self._reader

    def close(self) -> None:
        """Leave the wire to the reader."""


class Https:
    """The HTTP session for Authlib.

    It follows no redirection, since the request contains a secret. ``asked`` is true once a request was
    about to be sent. ``via`` is the proxy of the request, as HOST:PORT; hosts that ``connect_to``
    redirects bypass the proxy.
    """

    def __init__(
        self,
        deadline: Deadline,
        connect_to: ConnectTo,
        ca_files: Iterable[str | None],
        winners: Winners,
        proxies: ProxySettings = NO_PROXIES,
    ) -> None:
        self._deadline = deadline
        self._connect_to = connect_to
        self._ca_files = tuple(ca_files)
        self._winners = winners
        self._proxies = proxies
        self.asked = False
        self.via = ""

    def post(
        self, url: str, data: Mapping[str, str], headers: Mapping[str, str], auth: Any = None
    ) -> Response:
        """Send a form; ``auth`` adds the client's credentials. Raises like ``raise_for_status``."""
        prepared = dict(headers)
        body = urlencode(data)
        if auth is not None:
            url, prepared, body = auth.prepare("POST", url, prepared, body)
        response = self._send(url, prepared, body)
        # Authlib would read a body that looks like an answer.
        if response.status_code in _OUT_OF_ORDER:
            response.raise_for_status()
        return response

    def request(self, _method: str, url: str, data: Mapping[str, str], **_: Any) -> Response:
        """Send a form that contains its own credentials."""
        headers = {
            "Accept": "application/json",
            "Content-Type": "application/x-www-form-urlencoded;charset=UTF-8",
        }
        return self.post(url, data, headers)

    def _send(self, url: str, headers: Mapping[str, str], body: str) -> Response:
        self.asked = True
        parts = urlsplit(url)
        host, port = ascii_host(parts.hostname or ""), parts.port or _HTTPS_PORT
        if parts.scheme != "https" or not host:
            raise ProtocolViolation("The token endpoint is not an https URL.")
        wire = self._connect(host, port)
        try:
            wire.start_tls(shared_context(*self._ca_files), host)
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            return _exchange(wire, f"{host}:{port}", path, headers, body)
        finally:
            wire.close()

    def _connect(self, host: str, port: int) -> Wire:
        led = self._connect_to.only or self._connect_to.led(host, port) is not None
        proxy = None if led else self._proxies.proxy_for(host, port)
        if proxy is not None:
            self.via = str(proxy)
            return tunnel(proxy, (host, port), self._deadline, _LIMITS, self._winners)
        addresses = resolve(*self._connect_to.target(host, port), self._deadline)
        return Wire.connect(addresses, self._deadline, _LIMITS, self._winners)


def _exchange(
    wire: Wire, authority: str, path: str, headers: Mapping[str, str], body: str
) -> Response:
    connection = HTTPConnection(authority)
    sock: Any = SharedWire(wire)
    connection.sock = sock
    try:
        connection.request("POST", path, body, {**headers, "Connection": "close"})
        response = connection.getresponse()
        return Response(response.status, response.read())
    except (HTTPException, ValueError):
        raise ProtocolViolation("The token endpoint does not speak HTTP.") from None
