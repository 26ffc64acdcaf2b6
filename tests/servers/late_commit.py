"""A proxy in front of PostgreSQL that cuts a connection and delivers its COMMIT later."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tests.servers.loopback import LOOPBACK
from tests.servers.pass_on import CHUNK, PassOn

if TYPE_CHECKING:
    import socket

    from tests.servers.postgresql import Postgresql

_DEADLINE = 30


class LateCommit(PassOn):
    """Passes connections on to a server. Once ``armed``, it cuts the next that commits.

    What the client had sent reaches the server only when another connection has asked for rows to be
    locked; without ``deliver``, never, and the server's side stays open until the end.
    """

    def __init__(self, server: Postgresql, *, deliver: bool = True) -> None:
        super().__init__(server.socket)
        self._deliver = deliver
        self._armed = threading.Event()
        self._asked = threading.Event()

    @property
    def url(self) -> str:
        """The URL of the state through this proxy."""
        return f"postgresql://tester@{LOOPBACK}:{self.port}/postgres?sslmode=disable"

    def arm(self) -> None:
        """Cut the next connection that commits."""
        self._asked.clear()
        self._armed.set()

    def piece(
        self, client: socket.socket, server: socket.socket, data: bytes, *, upwards: bool
    ) -> bool:
        """Pass on everything but the COMMIT that it was armed for."""
        if upwards and b"FOR UPDATE" in data:
            self._asked.set()
        if upwards and b"COMMIT" in data and self._armed.is_set():
            self._armed.clear()
            self._asked.clear()
            client.close()
            self._commit_late(server, data)
            return False
        return super().piece(client, server, data, upwards=upwards)

    def _commit_late(self, server: socket.socket, data: bytes) -> None:
        if not self._deliver:
            self._over.wait(_DEADLINE)
            return
        while not self._asked.wait(0.05):
            if self._over.is_set():
                return
        self._over.wait(0.5)  # until the other waits for the rows
        server.sendall(data)
        server.recv(CHUNK)
