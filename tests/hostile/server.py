"""A server on loopback that follows a script until its test is over."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import ssl
    from types import TracebackType

_PATIENCE = 20.0
"""Seconds after which the server gives up, so that a broken test ends too."""


class Gone(Exception):
    """The client has hung up, or the test is over."""


class Peer:
    """One client, as the script sees it."""

    def __init__(self, sock: socket.socket, ended: threading.Event, number: int) -> None:
        sock.settimeout(_PATIENCE)
        self.number = number
        self.lines: list[str] = []
        self.round_trips = 0
        self._asked = True  # for a greeting, by connecting
        self._sock = sock
        self._ended = ended
        self._rest = b""

    def send(self, data: str | bytes) -> None:
        """Send exactly these octets.

        The first answer to what the client sent in one go makes it a round trip; the answers to the rest
        of that come along with it.
        """
        self.round_trips += self._asked
        self._asked = False
        try:
            self._sock.sendall(data.encode() if isinstance(data, str) else data)
        except OSError:
            raise Gone from None

    def line(self) -> str:
        """Wait for a line from the client."""
        while b"\n" not in self._rest:
            try:
                chunk = self._sock.recv(4096)
            except OSError:
                raise Gone from None
            if not chunk:
                raise Gone
            self._rest += chunk
            self._asked = True
        line, _, self._rest = self._rest.partition(b"\n")
        self.lines.append(line.rstrip(b"\r").decode("utf-8", "replace"))
        return self.lines[-1]

    def octets(self, size: int) -> bytes:
        """Wait for this many octets from the client."""
        while len(self._rest) < size:
            try:
                chunk = self._sock.recv(4096)
            except OSError:
                raise Gone from None
            if not chunk:
                raise Gone
            self._rest += chunk
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Shake hands."""
        try:
            self._sock = context.wrap_socket(self._sock, server_side=True)
        except OSError:
            raise Gone from None

    def hold(self, seconds: float = _PATIENCE) -> None:
        """Say nothing, until the client hangs up or the test is over."""
        try:
            self._sock.settimeout(min(seconds, _PATIENCE))  # it may be closed by now
            while not self._ended.is_set() and self._sock.recv(4096):
                pass
        except OSError:
            pass
        raise Gone

    def drip(self, data: bytes) -> None:
        """Send one octet at a time, slowly."""
        for octet in data:
            self.send(bytes([octet]))
            if self._ended.wait(0.05):
                raise Gone

    def close(self) -> None:
        self._sock.close()


Script = Callable[[Peer], None]
"""What the server does with one client; it hangs up where the script ends."""


class HostileServer:
    """Listens on a free port of 127.0.0.1, with TLS from the first byte if a context is given."""

    def __init__(self, script: Script, context: ssl.SSLContext | None = None) -> None:
        self.peers: list[Peer] = []
        self._script = script
        self._context = context
        self._ended = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._listen, daemon=True)]

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def lines(self) -> list[str]:
        """Everything that clients have sent, in the order of their connections."""
        return [line for peer in self.peers for line in peer.lines]

    def commands(self, *verbs: str) -> list[str]:
        """The lines that contain one of these commands."""
        return [line for line in self.lines if not {*verbs}.isdisjoint(line.upper().split()[:2])]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        # Closing alone does not wake a thread that waits in accept().
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for peer in self.peers:
            peer.close()
        for thread in self._threads:
            thread.join(5)

    def _listen(self) -> None:
        while not self._ended.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            peer = Peer(sock, self._ended, len(self.peers) + 1)
            self.peers.append(peer)
            thread = threading.Thread(target=self._serve, args=(peer,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, peer: Peer) -> None:
        try:
            if self._context is not None:
                peer.start_tls(self._context)
            self._script(peer)
        except Gone:
            pass
        finally:
            peer.close()
