from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest
import trustme

from reconciler.mail.dial import ConnectTo

if TYPE_CHECKING:
    from pathlib import Path

ISSUER = "login.example"

Answer = tuple[int, str]


@dataclass
class Issuer:
    """An authorisation server: what it was asked, and what it answers."""

    ca_file: str
    connect_to: ConnectTo
    answer: Callable[[dict[str, str]], Answer]
    requests: list[dict[str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


def token(**fields: Any) -> Answer:
    """A token that was issued."""
    return 200, json.dumps({"access_token": "at-1", "token_type": "Bearer", **fields})


def refusal(error: str, description: str = "") -> Answer:
    """A request that was refused (RFC 6749 section 5.2)."""
    return 400, json.dumps({"error": error, "error_description": description})


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    ca = trustme.CA()
    path = tmp_path_factory.mktemp("issuer") / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(ISSUER).configure_cert(context)
    return path, context


@pytest.fixture
def issuer(authority: tuple[Path, ssl.SSLContext]) -> Iterator[Issuer]:
    path, context = authority

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            made.requests.append(form)
            made.headers.append(dict(self.headers))
            status, text = made.answer(form)
            self.send_response(status)
            if status in (302, 307):
                self.send_header("Location", "https://elsewhere.example/")
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        made = Issuer(
            str(path),
            ConnectTo.parse([f"{ISSUER}:443=127.0.0.1:{server.server_port}"]),
            lambda _: token(expires_in=3600),
        )
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        server.shutdown()
        thread.join()
