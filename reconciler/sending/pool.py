"""A pool of sessions: many mails at once, each account within its limits, no provider blocking another."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from reconciler.errors import AccountBusy
from reconciler.mail.deadline import SLICE
from reconciler.sending.access import called_off
from reconciler.sending.outgoing import Outgoing, smtp_account
from reconciler.sending.turns import SendingLimits, Turn, Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from threading import Event

    from reconciler.connection.access import Access
    from reconciler.connection.account import Account
    from reconciler.model.connector import Connector

LONGEST_WAIT: Final = 120.0
"""The default wait of a mail for its turn, in seconds: longer than the minute of a rate limit."""

_LONGEST_IDLE = 60.0
"""Seconds after which an idle connection is closed: others may need it, and servers close it anyway."""

_MOST_IDLE = 256
"""Idle connections of all accounts together: each takes a file descriptor."""

_LOOK_AGAIN = 1.0
"""Seconds after which a waiting mail checks whether the pool was closed; its turn wakes it at once."""

_CONGESTED: Final = "4.4.5"
"""Mail system congestion (RFC 3463 section 3.5)."""


class PoolCount(Struct, frozen=True):
    """The connections of one account: ``open`` ones, those of them that are ``busy``, and mails ``waiting``."""

    host: str
    connectors: tuple[str, ...]
    open: int
    busy: int
    waiting: int


class _Lane:
    """The sessions of one account: its turns, the number in use, and the idle ones, most recent last."""

    def __init__(self, account: Account) -> None:
        self.host = account.host
        self.connectors: set[str] = set()
        self.turns = Turns()
        self.lent = 0
        self.idle: list[Outgoing] = []


class SessionPool:
    """Lends the SMTP sessions of connectors, to many threads at a time.

    The limits are those of an account: connectors that sign in as the same user at the same host share
    them. They count within this process. ``longest_wait`` is in seconds. The lock is held only for
    dictionary access, never while waiting for a server.
    """

    def __init__(
        self,
        access: Access,
        *,
        longest_wait: float = LONGEST_WAIT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._access = access
        self._longest_wait = longest_wait
        self._clock = clock
        self._lock = threading.Lock()
        self._nobody_busy = threading.Condition(self._lock)
        self._lanes: dict[tuple[str, str], _Lane] = {}
        self._idle: OrderedDict[Outgoing, tuple[_Lane, float]] = OrderedDict()
        self._closed = threading.Event()
        self._sweeper: threading.Thread | None = None

    @contextmanager
    def session(
        self,
        connector: Connector,
        *,
        client: str = "",
        wait: float | None = None,
        cancelled: Event | None = None,
    ) -> Iterator[Outgoing]:
        """Lend a session for one mail, and wait for it ``wait`` seconds at most.

        Clients, such as applications, take turns, so that one with a thousand mails does not hold up
        another with one. Raises AccountBusy if the turn does not come in time, immediately if that is
        certain; ValueError for a connector that lacks a setting. ``cancelled`` ends the wait early.
        """
        account = smtp_account(connector)
        lane, turn = self._turn(
            account, client, self._longest_wait if wait is None else wait, cancelled
        )
        try:
            outgoing, surplus = self._take(lane, connector, turn.limits)
            try:
                for session in surplus:
                    session.close()
                yield outgoing
            finally:
                surplus = self._put_back(lane, outgoing)
                for session in surplus:
                    session.close()
        finally:
            self._end(lane, turn)

    def counts(self) -> tuple[PoolCount, ...]:
        """Count the connections of every account that was used lately."""
        with self._lock:
            return tuple(
                PoolCount(
                    lane.host,
                    tuple(sorted(lane.connectors)),
                    lane.lent + len(lane.idle),
                    lane.lent,
                    lane.turns.waiting,
                )
                for lane in self._lanes.values()
            )

    def close(self, wait: float = 0.0) -> None:
        """Stop lending, and close all connections; those in use as soon as their mail is done.

        Waits for pending mails, ``wait`` seconds at most.
        """
        until = self._clock() + wait
        self._closed.set()
        with self._lock:
            while any(lane.turns.busy for lane in self._lanes.values()):
                left = until - self._clock()
                if left <= 0:
                    break
                self._nobody_busy.wait(left)
            idle = self._without_idle(math.inf)
        for session in idle:
            session.close()

    def abandon(self) -> None:
        """Drop all connections without closing them: they belong to the parent process."""
        for session in self._idle:
            session.abandon()

    # --- turns ------------------------------------------------------------------------------------

    def _turn(
        self, account: Account, client: str, wait: float, cancelled: Event | None
    ) -> tuple[_Lane, Turn]:
        turn = Turn(client, SendingLimits.of(account.connector))
        until = self._clock() + wait
        with self._lock:
            if self._closed.is_set():
                raise _busy("no mail is sent any more: it is being closed")
            lane = self._lanes.setdefault(account.account_key, _Lane(account))
            lane.connectors.add(account.connector.name)
            lane.turns.ask(turn, self._clock())
        try:
            while not turn.come.is_set():
                turn.come.wait(self._pause(lane, turn, until, cancelled, wait))
        except BaseException:
            self._end(lane, turn)
            raise
        return lane, turn

    def _pause(
        self, lane: _Lane, turn: Turn, until: float, cancelled: Event | None, wait: float
    ) -> float:
        """Seconds to wait before checking again; raises AccountBusy if the turn cannot come in time."""
        with self._lock:
            now = self._clock()
            lane.turns.give(now)
            if turn.come.is_set():
                return 0.0
            opens = lane.turns.opens_at(turn.limits, now)
        name = f"{lane.host} ({', '.join(sorted(lane.connectors))})"
        if self._closed.is_set() or (cancelled is not None and cancelled.is_set()):
            raise called_off()
        if opens > max(now, until):
            raise _busy(
                f"{name} takes {turn.limits.mails_per_minute} mails a minute, and that many were sent:"
                f" there is room in {opens - now:.0f} s"
            )
        if now >= until:
            raise _busy(
                f"{name} is busy: {turn.limits.connections} mails at a time, and none was through"
                f" within {wait:g} s"
            )
        look_again = _LOOK_AGAIN if cancelled is None else SLICE
        return min(opens - now if opens > now else look_again, until - now, look_again)

    def _end(self, lane: _Lane, turn: Turn) -> None:
        with self._lock:
            lane.turns.withdraw(turn, self._clock())
            self._nobody_busy.notify_all()

    # --- sessions ---------------------------------------------------------------------------------

    def _take(
        self, lane: _Lane, connector: Connector, limits: SendingLimits
    ) -> tuple[Outgoing, list[Outgoing]]:
        """Take an idle session of this connector, else make one; also return those to close first."""
        with self._lock:
            old = [item for item in lane.idle if item.connector.name == connector.name]
            fit = [item for item in old if item.connector == connector]
            found = fit[-1] if fit else None
            unfit = [item for item in old if item not in fit]
            others = [item for item in lane.idle if item is not found and item not in unfit]
            lane.lent += 1
            surplus = lane.lent + len(others) - limits.connections
            unfit += others[: max(surplus, 0)]
            for item in (*unfit, *((found,) if found else ())):
                self._forget(item)
            return found or Outgoing(connector, self._access), unfit

    def _put_back(self, lane: _Lane, outgoing: Outgoing) -> list[Outgoing]:
        """Keep a session that is still connected; return those to close."""
        with self._lock:
            lane.lent -= 1
            if self._closed.is_set() or not outgoing.connected:
                return [outgoing]
            lane.idle.append(outgoing)
            self._idle[outgoing] = lane, self._clock()
            surplus = list(self._idle)[: max(len(self._idle) - _MOST_IDLE, 0)]
            for item in surplus:
                self._forget(item)
            if self._sweeper is None:
                self._sweeper = threading.Thread(
                    target=self._sweep, name="reconciler idle connections", daemon=True
                )
                self._sweeper.start()
            return surplus

    def _forget(self, outgoing: Outgoing) -> None:
        lane, _ = self._idle.pop(outgoing)
        lane.idle.remove(outgoing)

    def _without_idle(self, until: float) -> list[Outgoing]:
        """Take out the idle sessions that were not used since then."""
        found = [item for item, (_, used) in self._idle.items() if used <= until]
        for item in found:
            self._forget(item)
        return found

    def _sweep(self) -> None:
        """Close long-idle sessions until none is idle; the next session starts it again."""
        while True:
            self._closed.wait(_LONGEST_IDLE / 4)
            with self._lock:
                now = self._clock()
                old = self._without_idle(now - _LONGEST_IDLE)
                for key, lane in tuple(self._lanes.items()):
                    lane.turns.give(now)
                    if lane.turns.idle and not lane.idle:
                        del self._lanes[key]
                over = self._closed.is_set() or not self._lanes
                if over:
                    self._sweeper = None
            for session in old:
                session.close()
            if over:
                return


def _busy(message: str) -> AccountBusy:
    return AccountBusy(
        message,
        temporary=True,
        status=_CONGESTED,
        hint="Try again later. `max_connections` and `mails_per_minute` of the connector limit what its"
        " account sends.",
    )
