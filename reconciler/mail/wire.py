"""A connection with limits: every wait counts against one deadline, every octet against one budget.

It is enough like a socket and a file for smtplib and imaplib. The socket does not block, and every wait
is sliced, so that even with a server that sends one octet a second it ends at the deadline, and at once
when cancelled.
"""

from __future__ import annotations

import selectors
import ssl
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from reconciler.mail.faults import Disconnected, ProtocolViolation, TimedOut, TlsFault
from reconciler.mail.happy_eyeballs import Selector, connect

if TYPE_CHECKING:
    import socket

    from reconciler.mail.deadline import Deadline
    from reconciler.mail.happy_eyeballs import Winners
    from reconciler.mail.resolve import ResolvedAddress

_CHUNK = 16 * 1024


class WireLimits(Struct, frozen=True):
    """Limits on what is read from a server: octets of one line, octets and lines in total."""

    line: int = 64 * 1024
    total: int = 4 * 1024 * 1024
    lines: int = 50_000


DEFAULT_LIMITS = WireLimits()


class Wire:
    """One TCP connection, with or without TLS. ``deadline`` may be replaced between operations.

    ``address`` is the server's, None if it does not matter.
    """

    def __init__(
        self,
        sock: socket.socket,
        deadline: Deadline,
        limits: WireLimits = DEFAULT_LIMITS,
        address: ResolvedAddress | None = None,
    ) -> None:
        sock.settimeout(0)  # do not block
        self.address = address
        self.deadline = deadline
        self.last_line = b""
        self._sock = sock
        self._limits = limits
        self._buffer = bytearray()
        self._spoke = False
        self._received = 0
        self._lines = 0

    @classmethod
    def connect(
        cls,
        endpoints: tuple[ResolvedAddress, ...],
        deadline: Deadline,
        limits: WireLimits = DEFAULT_LIMITS,
        winners: Winners | None = None,
    ) -> Wire:
        """Connect to whichever address accepts the connection first.

        Raises Unreachable, TimedOut if one of them did not answer in time, or Cancelled.
        """
        sock, address = connect(endpoints, deadline, winners)
        return cls(sock, deadline, limits, address)

    @property
    def silent(self) -> bool:
        """Whether the server has not sent a single octet yet."""
        return not self._spoke

    @property
    def encrypted(self) -> bool:
        """Whether TLS is up."""
        return isinstance(self._sock, ssl.SSLSocket)

    @property
    def local_address(self) -> str:
        """Our own address on this connection."""
        return str(self._sock.getsockname()[0])

    @property
    def tls(self) -> ssl.SSLSocket | None:
        """The socket with its certificate and version, once TLS is up."""
        return self._sock if isinstance(self._sock, ssl.SSLSocket) else None

    def start_tls(self, context: ssl.SSLContext, server_hostname: str) -> None:
        """Start TLS and verify the server.

        Raises :class:`ssl.SSLError`; Violation if the server has sent unrequested data before, since an
        attacker may have injected it (CVE-2011-0411 and its kind); Disconnected; TimedOut.
        """
        if self._buffer:
            raise ProtocolViolation(
                "The server sent more text, unprotected, before TLS had started."
            )
        try:
            self._sock = sock = context.wrap_socket(
                self._sock,
                server_hostname=server_hostname,
                do_handshake_on_connect=False,
                suppress_ragged_eofs=False,
            )
            self._shake_hands(sock)
        except ssl.SSLEOFError:
            raise Disconnected(silent=self.silent) from None
        except ssl.SSLError:
            raise
        except OSError:
            raise Disconnected(silent=self.silent) from None

    def renew_limits(self) -> None:
        """Reset the budget: a session of many mails may have any length."""
        self._received = len(self._buffer)
        self._lines = 0

    def readline(self, _size: int = -1) -> bytes:
        """Read one line with its end; raises Violation if it has none within the limit."""
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) >= self._limits.line:
                raise ProtocolViolation(
                    f"The server sent a line of more than {self._limits.line} octets."
                )
            self._fill()
        if end >= self._limits.line:
            raise ProtocolViolation(
                f"The server sent a line of more than {self._limits.line} octets."
            )
        self._lines += 1
        if self._lines > self._limits.lines:
            raise ProtocolViolation(f"The server sent more than {self._limits.lines} lines.")
        self.last_line = self._take(end + 1)
        return self.last_line

    def read(self, size: int = -1) -> bytes:
        """Read exactly ``size`` octets; raises Violation at once if that exceeds the budget.

        Without a size, read until the server disconnects.
        """
        if size < 0:
            return self._read_to_end()
        if size > self._limits.total - self._received + len(self._buffer):
            raise ProtocolViolation("The server announced more text than the limit allows.")
        while len(self._buffer) < size:
            self._fill()
        return self._take(size)

    def sendall(self, data: bytes) -> None:
        """Send everything."""
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self._sock.send(rest) :]
            except (ssl.SSLWantWriteError, BlockingIOError):
                self._wait(selectors.EVENT_WRITE)
            except ssl.SSLWantReadError:
                self._wait(selectors.EVENT_READ)
            except OSError as error:
                # What the server sent before it hung up is more informative than the disconnect.
                raise self._drained() or self._broken(error) from None

    def makefile(self, *_: object) -> Wire:
        """The reading side, for libraries that need a file."""
        return self

    def settimeout(self, _seconds: float | None) -> None:
        """Ignore it: the deadline is the timeout."""

    def close(self) -> None:
        """Close the connection silently."""
        self._sock.close()

    def _shake_hands(self, sock: ssl.SSLSocket) -> None:
        while True:
            try:
                return sock.do_handshake()
            except ssl.SSLWantReadError:
                self._wait(selectors.EVENT_READ)
            except ssl.SSLWantWriteError:
                self._wait(selectors.EVENT_WRITE)

    def _take(self, size: int) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def _read_to_end(self) -> bytes:
        while True:
            try:
                self._fill()
            except Disconnected:
                return self._take(len(self._buffer))

    def _fill(self) -> None:
        self._check_time()  # never wait for a server that keeps sending
        chunk: bytes | None = None
        while chunk is None:
            try:
                chunk = self._sock.recv(_CHUNK)
            except (ssl.SSLWantReadError, BlockingIOError):
                self._wait(selectors.EVENT_READ)
            except ssl.SSLWantWriteError:
                self._wait(selectors.EVENT_WRITE)
            except OSError as error:
                raise self._broken(error) from None
        if not chunk:
            raise Disconnected(silent=self.silent)
        self._spoke = True
        self._received += len(chunk)
        if self._received > self._limits.total:
            raise ProtocolViolation(f"The server sent more than {self._limits.total} octets.")
        self._buffer += chunk

    def _drained(self) -> TlsFault | None:
        """Keep the last line that the server sent; return its alert if there is nothing else."""
        try:
            lines = self._sock.recv(_CHUNK).splitlines()
        except OSError as error:
            fault = self._broken(error)
            return fault if isinstance(fault, TlsFault) else None
        self.last_line = lines[-1] if lines else self.last_line
        return None

    def _broken(self, error: OSError) -> TlsFault | Disconnected:
        """Determine how a connection ended: with a TLS alert, which has a reason, or silently."""
        waits = isinstance(error, ssl.SSLWantReadError | ssl.SSLWantWriteError)
        ended = isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError | ssl.SSLSyscallError)
        if isinstance(error, ssl.SSLError) and error.reason and not ended and not waits:
            return TlsFault(error.reason)
        return Disconnected(silent=self.silent)

    def _check_time(self) -> None:
        try:
            self.deadline.remaining()
        except TimedOut:
            raise TimedOut(silent=self.silent) from None

    def _wait(self, event: int) -> None:
        try:
            _wait(self._sock, event, self.deadline)
        except TimedOut:
            raise TimedOut(silent=self.silent) from None


def _wait(sock: socket.socket, event: int, deadline: Deadline) -> None:
    selector: Any
    with Selector() as selector:
        selector.register(sock, event)
        while not selector.select(deadline.slice()):
            pass
