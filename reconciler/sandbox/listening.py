"""Sockets on loopback: accepting connections, and ending every one of them when the run ends.

asyncio's own servers cannot say which connections are still in their TLS handshake, and leave those
behind. Accepting here keeps hold of a connection from its first instant to its last.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable

    Converse = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

LOOPBACK = "127.0.0.1"
PARTING_SECONDS = 1.0
"""How long an aborted connection may take to close."""


class ConnectionHandler(Protocol):
    """A server for connections that are accepted elsewhere."""

    def protocol(self, lost: asyncio.Event) -> asyncio.StreamReaderProtocol:
        """Make the protocol of a new connection, which sets ``lost`` when the connection is over."""
        ...


class Conversation(asyncio.StreamReaderProtocol):
    """A conversation over two streams, which sets ``lost`` when the connection is over."""

    def __init__(self, converse: Converse, lost: asyncio.Event) -> None:
        super().__init__(asyncio.StreamReader(), converse)
        self._lost = lost

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the connection is over."""
        super().connection_lost(exc)
        self._lost.set()


def bind() -> socket.socket:
    """Listen on a free port of loopback."""
    listening = socket.create_server((LOOPBACK, 0), backlog=128)
    listening.setblocking(False)  # noqa: FBT003 - takes no keyword
    return listening


class Reception:
    """Accepts the connections on one listening socket, on the event loop that runs.

    With a ``context`` a connection speaks TLS from its first octet.
    """

    def __init__(
        self, listening: socket.socket, service: ConnectionHandler, context: ssl.SSLContext | None
    ) -> None:
        self._listening = listening
        self._service = service
        self._context = context
        self._loop = asyncio.get_running_loop()
        self._waiting: set[socket.socket] = set()
        self._conversations: set[asyncio.Task[None]] = set()

    def open(self) -> None:
        """Start accepting."""
        self._loop.add_reader(self._listening, self._accept)

    async def close(self) -> None:
        """Stop accepting, and end every conversation."""
        self._loop.remove_reader(self._listening)
        for conversation in self._conversations:
            conversation.cancel()
        await asyncio.gather(*self._conversations, return_exceptions=True)
        for connection in self._waiting:  # whose conversations were cancelled before their start
            connection.close()

    def _accept(self) -> None:
        try:
            connection, _ = self._listening.accept()
        except OSError:
            return  # it has gone already
        connection.setblocking(False)  # noqa: FBT003 - takes no keyword
        # Replies of many lines leave at once; waiting for a delayed ACK costs 40 ms each.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._waiting.add(connection)
        task = self._loop.create_task(self._converse(connection))
        self._conversations.add(task)
        task.add_done_callback(self._conversations.discard)

    async def _converse(self, connection: socket.socket) -> None:
        """Serve one connection; when cancelled, abort it and wait until it is closed."""
        self._waiting.discard(connection)
        lost = asyncio.Event()
        try:
            transport, _ = await self._loop.connect_accepted_socket(
                lambda: self._service.protocol(lost), connection, ssl=self._context
            )
        except OSError:
            return  # the handshake failed, or the client left: it knows why
        try:
            await lost.wait()
        except asyncio.CancelledError:
            transport.abort()
            # An interrupted handshake after STARTTLS ends without notice.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(lost.wait(), PARTING_SECONDS)
            raise
