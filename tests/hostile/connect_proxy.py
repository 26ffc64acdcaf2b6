"""A small web proxy: it answers CONNECT, maps each destination to a port on loopback, and forwards bytes."""

from __future__ import annotations

import base64
import contextlib
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

_PATIENCE = 20.0
"""Seconds after which the proxy itself gives up."""


@dataclass
class ConnectProxy:
    """Listens on a free port. ``places`` are what it connects to, ``user`` what it demands, as USER:PASSWORD."""

    places: Mapping[str, int]
    user: str = ""
    asked: list[str] = field(default_factory=list)
    given: list[str] = field(default_factory=list)
    passed: bytearray = field(default_factory=bytearray)

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._listen, daemon=True)]
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        for sock in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        for thread in self._threads:
            thread.join(5)

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def _listen(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._start(self._serve, client)

    def _start(self, work: object, *sockets: socket.socket) -> None:
        for sock in sockets:
            sock.settimeout(_PATIENCE)
            self._sockets.append(sock)
        thread = threading.Thread(target=work, args=sockets, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                chunk = client.recv(1)
                if not chunk:
                    return
                head += chunk
            first, *fields = head.decode("latin-1").splitlines()
            method, place, _ = first.split(" ")
            headers = dict(item.split(": ", 1) for item in fields if item)
            self.asked.append(f"{method} {place}")
            self.given.append(headers.get("Proxy-Authorization", ""))
            expected = f"Basic {base64.b64encode(self.user.encode()).decode()}"
            if self.user and self.given[-1] != expected:
                client.sendall(
                    b"HTTP/1.1 407 Sign in\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n"
                )
            elif place not in self.places:
                client.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            else:
                server = socket.create_connection(("127.0.0.1", self.places[place]))
                client.sendall(
                    b"HTTP/1.1 100 Wait\r\n\r\nHTTP/1.1 200 Connected\r\nVia: us\r\n\r\n"
                )
                self._start(self._pump, client, server)
                self._pump(server, client)
                return
        client.close()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(65536):
                self.passed += chunk
                target.sendall(chunk)
            target.shutdown(socket.SHUT_WR)
