"""A local authorisation server's introspection endpoint (RFC 7662), for Dovecot to ask about tokens."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import parse_qs

from tests.servers.accounts import INFO, SUPPORT
from tests.servers.loopback import LOOPBACK, free_port

if TYPE_CHECKING:
    from types import TracebackType


@dataclass(frozen=True, slots=True)
class Token:
    """What the authorisation server knows of a token."""

    text: str
    username: str
    scope: str = "mail"
    active: bool = True


VALID: Final = Token("a-valid-token", SUPPORT.username)
EXPIRED: Final = Token("an-expired-token", SUPPORT.username, active=False)
WRONG_SCOPE: Final = Token("a-token-for-the-calendar", SUPPORT.username, scope="calendar")
SOMEBODY_ELSE: Final = Token("a-token-of-info", INFO.username)

_TOKENS: Final = {token.text: token for token in (VALID, EXPIRED, WRONG_SCOPE, SOMEBODY_ELSE)}


class Introspection:
    """Answers at ``url`` for as long as the ``with`` block lasts."""

    def __init__(self) -> None:
        port = free_port()
        self.url = f"http://{LOOPBACK}:{port}/introspect"
        self._server = ThreadingHTTPServer((LOOPBACK, port), _Handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        form = self.rfile.read(int(self.headers["Content-Length"])).decode()
        token = _TOKENS.get(parse_qs(form).get("token", [""])[0])
        answer: dict[str, object] = {"active": False}
        if token is not None and token.active:
            answer = {"active": True, "username": token.username, "scope": token.scope}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base
        """Log nothing; the tests look at what Dovecot makes of it."""
