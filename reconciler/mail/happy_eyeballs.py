"""Connects to a host with several addresses, none of which may delay the others (RFC 8305).

Dead addresses are common: broken IPv6, or one machine of a pool that is down. An attempt starts every
250 ms, alternating between families, and the first established connection wins.
"""

from __future__ import annotations

import errno
import itertools
import os
import selectors
import socket
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from reconciler.mail.faults import TimedOut, Unreachable
from reconciler.mail.resolve import ResolvedAddress

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.mail.deadline import Deadline

ATTEMPT_DELAY: Final = 0.25
"""Seconds from one attempt to the next ("Connection Attempt Delay", RFC 8305 section 5)."""

Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)
"""Waits for sockets without using a file descriptor, whatever their numbers."""

_UNDER_WAY = frozenset({0, errno.EINPROGRESS, errno.EWOULDBLOCK})
_NO_ROUTE = frozenset({errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})
"""Errors that concern this machine's network, such as missing IPv6, not the server."""


class Winners:
    """Remembers which addresses accepted a connection, for later connections.

    Safe to use from several threads. An address that no longer answers costs one delay; next time
    another one is tried first.
    """

    def __init__(self) -> None:
        self._wins: dict[str, int] = {}
        self._count = itertools.count(1)
        self._lock = threading.Lock()

    def first(self, addresses: Iterable[ResolvedAddress]) -> tuple[ResolvedAddress, ...]:
        """Move the address that won last to the front."""
        known = tuple(addresses)
        with self._lock:
            winner = max(known, key=self._win, default=None)
            if winner is None or not self._win(winner):
                return known
        return (winner, *(address for address in known if address != winner))

    def note(self, address: ResolvedAddress) -> None:
        """Remember that the address accepted a connection."""
        with self._lock:
            self._wins[address.text] = next(self._count)

    def _win(self, address: ResolvedAddress) -> int:
        return self._wins.get(address.text, 0)


def in_turns(addresses: Iterable[ResolvedAddress]) -> tuple[ResolvedAddress, ...]:
    """Let the families alternate, and keep the order within each (RFC 8305 section 4)."""
    families: dict[int, list[ResolvedAddress]] = {}
    for address in addresses:
        families.setdefault(address.family, []).append(address)
    rounds = itertools.zip_longest(*families.values())
    return tuple(item for item in itertools.chain(*rounds) if item is not None)


def connect(
    addresses: Iterable[ResolvedAddress],
    deadline: Deadline,
    winners: Winners | None = None,
    *,
    delay: float = ATTEMPT_DELAY,
) -> tuple[socket.socket, ResolvedAddress]:
    """Connect to one of the addresses; return the connection, which does not block, and its address.

    The address that won last is tried first, then the families alternate in the given order. ``delay``
    is in seconds; after a failed attempt, the next starts at once. Raises Unreachable, TimedOut if an
    address neither accepted nor refused the connection in time, or Cancelled.
    """
    winners = winners or Winners()
    race = _Race(deque(in_turns(winners.first(addresses))), delay)
    try:
        sock, address = race.run(deadline)
    finally:
        race.close()
    winners.note(address)
    return sock, address


@dataclass(slots=True)
class _Race:
    """The running attempts, and the addresses that are yet to be tried."""

    waiting: deque[ResolvedAddress]
    delay: float
    running: dict[socket.socket, ResolvedAddress] = field(default_factory=dict)
    errors: list[int] = field(default_factory=list)
    next_at: float = 0.0
    selector: Any = field(default_factory=Selector)

    def run(self, deadline: Deadline) -> tuple[socket.socket, ResolvedAddress]:
        """Start attempts and wait for them until one has won."""
        while self.waiting or self.running:
            if self.waiting and (not self.running or time.monotonic() >= self.next_at):
                self.start(self.waiting.popleft())
                continue
            for key, _ in self.selector.select(self.patience(deadline)):
                winner = self.finish(key.fileobj)
                if winner is not None:
                    return winner
        raise Unreachable(self.reason)

    def start(self, address: ResolvedAddress) -> None:
        """Begin one attempt."""
        self.next_at = time.monotonic() + self.delay
        try:
            sock = socket.socket(address.family, socket.SOCK_STREAM)
        except OSError as error:
            self.errors.append(error.errno or 0)
            return
        try:
            sock.settimeout(0)  # do not block
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            code = sock.connect_ex(address.address)
            if code in _UNDER_WAY:
                self.selector.register(sock, selectors.EVENT_WRITE)
        except BaseException:
            sock.close()
            raise
        if code in _UNDER_WAY:
            self.running[sock] = address
        else:
            self.lose(sock, code)

    def finish(self, sock: socket.socket) -> tuple[socket.socket, ResolvedAddress] | None:
        """End an attempt: its connection and address, or None if it has failed."""
        address = self.running.pop(sock)
        self.selector.unregister(sock)
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if not code:
            return sock, address
        self.lose(sock, code)
        return None

    def lose(self, sock: socket.socket, code: int) -> None:
        """Record why an attempt failed, and start the next at once."""
        sock.close()
        self.errors.append(code)
        self.next_at = 0.0

    def patience(self, deadline: Deadline) -> float:
        """Seconds to wait for an answer before the next step."""
        try:
            seconds = deadline.slice()
        except TimedOut:
            raise TimedOut(silent=True) from None
        if self.waiting:
            seconds = min(seconds, self.next_at - time.monotonic())
        return max(0.0, seconds)

    @property
    def reason(self) -> str:
        """Why no address accepted the connection: preferably the server's reason, else our network's."""
        of_servers = [code for code in self.errors if code not in _NO_ROUTE]
        code = next(iter(of_servers or self.errors), None)
        if code is None:
            return "the host has no address"
        return os.strerror(code) if code else "no socket"

    def close(self) -> None:
        """Give up the attempts that have not won."""
        for sock in self.running:
            sock.close()
        self.selector.close()
