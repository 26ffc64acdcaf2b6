"""Decides who may send next over an account: within its limits, and fair to all clients.

Only bookkeeping: the pool holds a lock around every call, and waits outside of it.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from msgspec import Struct

if TYPE_CHECKING:
    from reconciler.model.connector import Connector

DEFAULT_CONNECTIONS: Final = 4
"""The connection limit of an account if unknown. Servers accept that many: mail clients open as many."""

_MINUTE: Final = 60.0


class SendingLimits(Struct, frozen=True):
    """How many mails an account sends at the same time, and within any 60 seconds; None for any number."""

    connections: int = DEFAULT_CONNECTIONS
    mails_per_minute: int | None = None

    @classmethod
    def of(cls, connector: Connector) -> SendingLimits:
        """Return the limits of a connector's account."""
        return cls(connector.max_connections or DEFAULT_CONNECTIONS, connector.mails_per_minute)


@dataclass(slots=True, eq=False)
class Turn:
    """A mail that waits for its turn. ``come`` is set when the turn comes."""

    client: str
    limits: SendingLimits
    come: threading.Event = field(default_factory=threading.Event)


class Turns:
    """The turns of one account, which clients take in rotation, so that none waits for all mail of another.

    ``busy`` counts pending mails. Times are those of one monotonic clock, in seconds.
    """

    def __init__(self) -> None:
        self.busy = 0
        self._waiting: dict[str, deque[Turn]] = {}
        self._begun: deque[float] = deque()

    @property
    def waiting(self) -> int:
        """The number of waiting mails."""
        return sum(map(len, self._waiting.values()))

    def ask(self, turn: Turn, now: float) -> None:
        """Queue for a turn after those of the same client; it may come at once."""
        self._waiting.setdefault(turn.client, deque()).append(turn)
        self.give(now)

    def withdraw(self, turn: Turn, now: float) -> None:
        """Return a turn, whether it has come or not."""
        if turn.come.is_set():
            self.busy -= 1
        else:
            queue = self._waiting[turn.client]
            queue.remove(turn)
            if not queue:
                del self._waiting[turn.client]
        self.give(now)

    def give(self, now: float) -> None:
        """Start as many as the limits allow."""
        while self._begun and self._begun[0] <= now - _MINUTE:
            self._begun.popleft()
        while self._waiting:
            client = next(iter(self._waiting))
            queue = self._waiting[client]
            limits = queue[0].limits
            if self.busy >= limits.connections or self.opens_at(limits, now) > now:
                return
            turn = queue.popleft()
            del self._waiting[client]
            if queue:
                self._waiting[client] = queue  # after the other clients
            self.busy += 1
            if limits.mails_per_minute is not None:
                self._begun.append(now)
            turn.come.set()

    def opens_at(self, limits: SendingLimits, now: float) -> float:
        """When one more mail is within the rate limit, regardless of other limits."""
        most = limits.mails_per_minute
        if most is None or len(self._begun) < most:
            return now
        return self._begun[-most] + _MINUTE

    @property
    def idle(self) -> bool:
        """Whether nobody sends or waits, and no mail of the last minute counts anymore."""
        return not (self.busy or self._waiting or self._begun)
