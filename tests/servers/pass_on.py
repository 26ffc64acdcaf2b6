"""A proxy that passes on what clients and a server say, until a test wants something else."""

from __future__ import annotations

import select
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from tests.servers.loopback import LOOPBACK

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

CHUNK = 65536


class PassOn:
    """Listens on a port of loopback, and leads each connection to a port there or to a Unix socket."""

    def __init__(self, target: int | Path) -> None:
        self._target = target
        self._listener = socket.create_server((LOOPBACK, 0), backlog=128)
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []

    @property
    def port(self) -> int:
        """Where clients connect to."""
        return int(self._listener.getsockname()[1])

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

    def piece(
        self, client: socket.socket, server: socket.socket, data: bytes, *, upwards: bool
    ) -> bool:
        """Pass on what one end said, ``upwards`` to the server; false ends the connection."""
        (server if upwards else client).sendall(data)
        return True

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
            self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError), self._connected() as server:
            while not self._over.is_set():
                ready, _, _ = select.select([client, server], [], [], 0.05)
                for end in ready:
                    data = end.recv(CHUNK)
                    if not data or not self.piece(client, server, data, upwards=end is client):
                        return

    def _connected(self) -> socket.socket:
        if isinstance(self._target, int):
            return socket.create_connection((LOOPBACK, self._target))
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(str(self._target))
        except OSError:
            server.close()
            raise
        return server
