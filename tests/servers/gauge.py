"""A TCP proxy that counts the connections open through it at the same time."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from typing import TYPE_CHECKING, Self

from tests.servers.loopback import LOOPBACK, free_port

if TYPE_CHECKING:
    from types import TracebackType

CHUNK = 65536


class Gauge:
    """Passes connections on to ``target`` for as long as the ``with`` block lasts.

    ``peak`` is the most that were open at once, ``total`` how many there were. A connection ends when
    the client ends it. Whatever the kernel knew to be ended is counted so before a new one is taken,
    so one that a client opens after it has closed another never counts as one more.
    """

    def __init__(self, target: tuple[str, int]) -> None:
        self.port = free_port()
        self.peak = 0
        self.total = 0
        self._target = target
        self._clients: set[socket.socket] = set()
        self._other: dict[socket.socket, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._listener = socket.create_server((LOOPBACK, self.port), backlog=200)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._wake, self._woken = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name="gauge")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._wake.send(b"!")
        self._thread.join()
        for end in (*self._other, self._listener, self._wake, self._woken):
            end.close()
        self._selector.close()

    def _run(self) -> None:
        while True:
            ready = [key.fileobj for key, _ in self._selector.select()]
            if self._woken in ready:
                return
            for end in ready:
                if isinstance(end, socket.socket) and end in self._other:
                    self._pass_on(end)
            if self._listener in ready:
                self._take()

    def _take(self) -> None:
        client, _ = self._listener.accept()
        server = socket.create_connection(self._target)
        self._clients.add(client)
        self.total += 1
        self.peak = max(self.peak, len(self._clients))
        self._other |= {client: server, server: client}
        for end in (client, server):
            self._selector.register(end, selectors.EVENT_READ)

    def _pass_on(self, source: socket.socket) -> None:
        """Forward what has arrived, and the end of the stream if it follows."""
        try:
            while data := source.recv(CHUNK, socket.MSG_DONTWAIT):
                with contextlib.suppress(OSError):  # the other end is gone
                    self._other[source].sendall(data)
        except BlockingIOError:
            return
        except OSError:
            pass  # a reset is an end too
        if source in self._clients:
            self._end(source)
        else:
            self._selector.unregister(source)
            with contextlib.suppress(OSError):
                self._other[source].shutdown(socket.SHUT_WR)

    def _end(self, client: socket.socket) -> None:
        self._clients.remove(client)
        for end in (client, self._other[client]):
            if end in self._selector.get_map():
                self._selector.unregister(end)
            del self._other[end]
            end.close()
