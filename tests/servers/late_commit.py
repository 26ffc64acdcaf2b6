"""A proxy in front of PostgreSQL that cuts a connection and delivers its COMMIT later."""

from __future__ import annotations

import select
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from tests.servers.loopback import LOOPBACK

if TYPE_CHECKING:
    from types import TracebackType

    from tests.servers.postgresql import Postgresql

_CHUNK = 65536
_DEADLINE = 30


class LateCommit:
    """Passes connections on to a server. Once ``armed``, it cuts the next that commits.

    What the client had sent reaches the server only when another connection has asked for rows to be
    locked; without ``deliver``, never, and the server's side stays open until the end.
    """

    def __init__(self, server: Postgresql, *, deliver: bool = True) -> None:
        self._socket = server.folder / f".s.PGSQL.{server.port}"
        self._deliver = deliver
        self._listener = socket.create_server((LOOPBACK, 0))
        self._armed = threading.Event()
        self._asked = threading.Event()
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []

    @property
    def url(self) -> str:
        """The URL of the state through this proxy."""
        port = self._listener.getsockname()[1]
        return f"postgresql://tester@{LOOPBACK}:{port}/postgres?sslmode=disable"

    def arm(self) -> None:
        """Cut the next connection that commits."""
        self._asked.clear()
        self._armed.set()

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _start(self, target: object, *arguments: socket.socket) -> None:
        assert callable(target)
        thread = threading.Thread(target=target, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._start(self._pass_on, client)

    def _pass_on(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server:
            server.connect(str(self._socket))
            while not self._over.is_set():
                ready, _, _ = select.select([client, server], [], [], 0.05)
                for end in ready:
                    try:
                        data = end.recv(_CHUNK)
                    except OSError:
                        return
                    if not data:
                        return
                    if end is server:
                        client.sendall(data)
                        continue
                    if b"FOR UPDATE" in data:
                        self._asked.set()
                    if b"COMMIT" in data and self._armed.is_set():
                        self._armed.clear()
                        self._asked.clear()
                        client.close()
                        self._commit_late(server, data)
                        return
                    server.sendall(data)

    def _commit_late(self, server: socket.socket, data: bytes) -> None:
        if not self._deliver:
            self._over.wait(_DEADLINE)
            return
        self._asked.wait(_DEADLINE)
        self._over.wait(0.5)  # until the other waits for the rows
        server.sendall(data)
        server.recv(_CHUNK)
