"""A local authorisation server: a token endpoint for clients, and introspection for Dovecot (RFC 7662).

What a client is issued depends on its id alone, so that a test chooses what happens by choosing a client.
"""

from __future__ import annotations

import json
import secrets
import ssl
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import parse_qsl

from tests.servers.accounts import ACCOUNTS, DOMAIN, INFO, SUPPORT
from tests.servers.loopback import LOOPBACK, free_port

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from tests.servers.authority import Authority

LOGIN: Final = f"login.{DOMAIN}"
ENDPOINT: Final = f"https://{LOGIN}/oauth2/v2.0/token"
TENANT: Final = f"https://{LOGIN}/{DOMAIN}/oauth2/v2.0"
"""Where the endpoints of a tenant are, as at Microsoft: ``/token`` and ``/devicecode``."""

SECRET: Final = "the-value~of_a.client-secret"
LIFETIME: Final = 600
"""Seconds that a token is valid for."""

_TAIL: Final = "x" * 1800
"""Tokens are long: those of Microsoft have some two thousand characters."""


@dataclass(frozen=True, slots=True)
class Client:
    """A client, and what its tokens are valid for."""

    client_id: str
    username: str = SUPPORT.username
    scope: str = "mail"
    active: bool = True


GOOD: Final = Client("good")
EXPIRED: Final = Client("issues-expired-tokens", active=False)
CALENDAR: Final = Client("for-the-calendar", scope="calendar")
SOMEBODY_ELSE: Final = Client("for-somebody-else", username=INFO.username)

DELEGATED: Final = Client("delegated")
"""A public client, whose refresh token changes with each use."""

OWN: Final = {account: Client(f"of-{account.name}", account.username) for account in ACCOUNTS}
"""A client for each account, whose tokens are good for its mailbox."""

_CLIENTS: Final = {
    item.client_id: item for item in (GOOD, EXPIRED, CALENDAR, SOMEBODY_ELSE, *OWN.values())
}


class AuthorisationServer:
    """Answers for as long as the ``with`` block lasts; ``clock`` may be replaced meanwhile.

    ``introspection_url`` is for Dovecot; clients reach ENDPOINT by ``connect_to``. ``requests`` are the
    forms that came to the token endpoint; it is out of order for as many of them as ``failures`` says.
    ``refresh_token`` is the one that DELEGATED has now, which is good for one use.
    """

    def __init__(self, authority: Authority) -> None:
        self.requests: list[dict[str, str]] = []
        self.failures = 0
        self.refresh_token = ""
        self._codes: dict[str, int] = {}
        self.clock: Callable[[], float] = time.monotonic
        self._issued: dict[str, tuple[Client, float]] = {}
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(authority.good)
        self._endpoint = _Server(self._token)
        self._endpoint.socket = context.wrap_socket(
            self._endpoint.socket, server_side=True, do_handshake_on_connect=False
        )
        self._introspection = _Server(self._introspect)
        self.introspection_url = f"http://{LOOPBACK}:{self._introspection.server_port}/introspect"
        self.connect_to = f"{LOGIN}:443={LOOPBACK}:{self._endpoint.server_port}"
        self._threads = [
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            for server in (self._endpoint, self._introspection)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for server in (self._endpoint, self._introspection):
            server.shutdown()
        for thread in self._threads:
            thread.join()
        for server in (self._endpoint, self._introspection):
            server.server_close()

    def issue(self, client: Client) -> str:
        """Issue a token to a client."""
        token = f"{secrets.token_urlsafe(24)}.{_TAIL}"
        self._issued[token] = (client, self.clock() + LIFETIME)
        return token

    def _token(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        self.requests.append(form)
        if len(self.requests) <= self.failures:
            return 503, {"error": "out of order"}
        if form.get("client_id") == DELEGATED.client_id:
            return self._delegated(form)
        client = _CLIENTS.get(form.get("client_id", ""))
        if client is None:
            description = f"AADSTS700016: Application '{form.get('client_id')}' was not found."
            return 400, {"error": "unauthorized_client", "error_description": description}
        if form.get("client_secret") != SECRET:
            description = "AADSTS7000215: Invalid client secret provided."
            return 401, {"error": "invalid_client", "error_description": description}
        if form.get("scope") != "mail":
            description = (
                f"AADSTS70011: The provided value for scope {form.get('scope')} is not valid."
            )
            return 400, {"error": "invalid_scope", "error_description": description}
        token = self.issue(client)
        return 200, {"token_type": "Bearer", "access_token": token, "expires_in": LIFETIME}

    def _delegated(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Answer for DELEGATED: a device code, which is entered before the second request; or a token."""
        if "grant_type" not in form:
            code = secrets.token_urlsafe(12)
            self._codes[code] = 0
            page = f"https://{LOGIN}/device"
            return 200, {
                "device_code": code, "user_code": "BCDF-GHJK", "verification_uri": page,
                "expires_in": 900, "interval": 1,
            }  # fmt: skip
        if "device_code" in form:
            asked = self._codes.get(form["device_code"])
            if asked is None:
                return 400, {"error": "bad_verification_code"}
            if not asked:
                self._codes[form["device_code"]] = 1
                return 400, {"error": "authorization_pending"}
            del self._codes[form["device_code"]]
        elif not self.refresh_token or form.get("refresh_token") != self.refresh_token:
            description = "AADSTS70008: The refresh token has expired."
            return 400, {"error": "invalid_grant", "error_description": description}
        self.refresh_token = f"1.{secrets.token_urlsafe(48)}"
        return 200, {
            "token_type": "Bearer", "access_token": self.issue(DELEGATED), "expires_in": LIFETIME,
            "refresh_token": self.refresh_token,
        }  # fmt: skip

    def _introspect(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        client, until = self._issued.get(form.get("token", ""), (None, 0.0))
        if client is None or not client.active or self.clock() >= until:
            return 200, {"active": False}
        return 200, {"active": True, "username": client.username, "scope": client.scope}


class _Server(ThreadingHTTPServer):
    def __init__(self, answer: Callable[[dict[str, str]], tuple[int, dict[str, Any]]]) -> None:
        super().__init__((LOOPBACK, free_port()), _Handler)
        self.answer = answer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        status, document = self.server.answer(form)
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base
        """Log nothing; the tests look at Dovecot's reaction."""
