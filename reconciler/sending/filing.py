"""Filing the copies of sent mail: each connector over one IMAP connection, at once or in the background."""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.connection.account import accounts
from reconciler.model.protocol import Protocol
from reconciler.sending.access import ConnectorAccess
from reconciler.sending.outcome import Copy, CopyStatus
from reconciler.sending.sent_copy import NO_TIME, Copies, without_filing

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.connection.access import Access
    from reconciler.model.connector import Connector, SaveSent
    from reconciler.sending.message import Prepared

_MOST_OCTETS = 64_000_000
"""The maximum size of waiting copies in memory; beyond that, the sender files the copy itself."""

_LINGER = 30.0
"""Seconds for which an idle thread keeps its connection."""

_CALLED_OFF = 5.0
"""Seconds to wait for a stopping thread, which checks five times a second."""

_AT_EXIT = 10.0
"""Seconds for which an ending process waits for its copies."""


class _Job(Struct, frozen=True):
    mail: Prepared
    connector: Connector
    desired: SaveSent
    done: Callable[[Copy], None]


class Filing:
    """Files the copies of all connectors. Threads may share it; those with mails of one connector take turns.

    ``search_seconds`` is how long to look for the server's own copy before filing ours.
    """

    def __init__(self, access: Access, search_seconds: float) -> None:
        self._access = access
        self._search_seconds = search_seconds
        self._lock = threading.Lock()
        self._cabinets: dict[str, _Cabinet] = {}
        self._cancelled = threading.Event()
        self._closing = False
        self._process = os.getpid()

    def get_ready(self, mail: Prepared, connector: Connector, asked: SaveSent | None) -> None:
        """Load the modules for filing before the mail is sent: later on, nothing may fail."""
        if not isinstance(without_filing(mail.route, connector, asked), Copy):
            import reconciler.connection.imap  # noqa: F401, PLC0415

    def file(self, mail: Prepared, connector: Connector, asked: SaveSent | None) -> Copy:
        """File the copy of a mail as configured; raises nothing, because the mail is already sent."""
        decision = without_filing(mail.route, connector, asked)
        if isinstance(decision, Copy):
            return decision
        return self._cabinet(connector).file(mail, connector, decision)

    def file_later(
        self,
        mail: Prepared,
        connector: Connector,
        asked: SaveSent | None,
        done: Callable[[Copy], None],
    ) -> Copy:
        """File the copy in the background; ``done`` is called with the result, in the filing thread.

        Returns a pending copy, or the final one if nothing has to be filed, or if so many copies wait
        that this one was filed at once.
        """
        decision = without_filing(mail.route, connector, asked)
        if isinstance(decision, Copy):
            return decision
        cabinet = self._cabinet(connector)
        with self._lock:
            waiting = sum(item.octets for item in self._cabinets.values())
            if not self._closing and waiting + len(mail.copy) <= _MOST_OCTETS:
                cabinet.add(_Job(mail, connector, decision, done))
                return Copy(CopyStatus.PENDING, sentence="it is filed in the background")
        return cabinet.file(mail, connector, decision)

    def close(self, wait: float = 0.0) -> None:
        """Close all connections after pending copies; wait at most ``wait`` seconds.

        Copies that are not filed by then are reported as failed.
        """
        until = time.monotonic() + wait
        with self._lock:
            self._closing = True
            cabinets = tuple(self._cabinets.values())
            self._cabinets.clear()
        atexit.unregister(self._close_at_exit)
        for cabinet in cabinets:
            cabinet.finish()
        for cabinet in cabinets:
            cabinet.join(max(until - time.monotonic(), 0.0))
        self._cancelled.set()
        for cabinet in cabinets:
            cabinet.join(_CALLED_OFF)
            cabinet.close()

    def _close_at_exit(self) -> None:
        if os.getpid() == self._process:  # a parent's threads do not exist in its children
            self.close(_AT_EXIT)

    def _cabinet(self, connector: Connector) -> _Cabinet:
        with self._lock:
            if not self._cabinets:
                atexit.register(self._close_at_exit)
            found = self._cabinets.get(connector.name)
            if found is None:
                found = _Cabinet(self._access, self._search_seconds, self._cancelled)
                self._cabinets[connector.name] = found
            return found


class _Cabinet:
    """The IMAP connection of one connector, its lock, and the waiting copies."""

    def __init__(self, access: Access, search_seconds: float, cancelled: threading.Event) -> None:
        self.octets = 0
        self._access = access
        self._search_seconds = search_seconds
        self._cancelled = cancelled
        self._turn = threading.Lock()
        self._connector: Connector | None = None
        self._copies: Copies | None = None
        self._changed = threading.Condition()
        self._jobs: deque[_Job] = deque()
        self._thread: threading.Thread | None = None
        self._finishing = False

    def file(self, mail: Prepared, connector: Connector, desired: SaveSent) -> Copy:
        with self._turn:
            if self._copies is None or self._connector != connector:
                self._end()
                self._copies = self._made(connector)
                self._connector = connector
            if self._copies is None:
                sentence = f"{connector.name} has no IMAP settings"
                return Copy(CopyStatus.FAILED, sentence=sentence)
            return self._copies.file(mail, desired)

    def add(self, job: _Job) -> None:
        with self._changed:
            self._jobs.append(job)
            self.octets += len(job.mail.copy)
            self._changed.notify_all()
            if self._thread is None:
                name = f"copies of {job.connector.name}"
                self._thread = threading.Thread(target=self._work, name=name, daemon=True)
                self._thread.start()

    def finish(self) -> None:
        """Let the thread end once nothing is left to file."""
        with self._changed:
            self._finishing = True
            self._changed.notify_all()

    def join(self, seconds: float) -> None:
        """Wait until nothing is left to file."""
        with self._changed:
            self._changed.wait_for(lambda: self._thread is None, seconds)

    def close(self) -> None:
        """Close the connection; a pending copy is already cancelled, and ends soon."""
        if self._turn.acquire(timeout=_CALLED_OFF):
            try:
                self._end()
            finally:
                self._turn.release()

    def _work(self) -> None:
        while True:
            job = self._next()
            if job is None:
                return
            try:
                late = self._cancelled.is_set()
                copy = NO_TIME if late else self.file(job.mail, job.connector, job.desired)
                job.done(copy)
            except Exception:
                import logging  # noqa: PLC0415 - only for filing in the background

                log = logging.getLogger("reconciler.sending")
                log.exception("what happened to a sent copy could not be reported")
            finally:
                with self._changed:
                    self.octets -= len(job.mail.copy)

    def _next(self) -> _Job | None:
        """Return the next copy to file; None if there is none, and the thread should end."""
        with self._changed:
            if not self._jobs and not self._finishing:
                self._changed.wait(_LINGER)
        with self._turn, self._changed:
            if self._jobs:
                return self._jobs.popleft()
            self._end()
            self._thread = None
            self._changed.notify_all()
            return None

    def _end(self) -> None:
        copies, self._copies = self._copies, None
        if copies is not None:
            copies.close()

    def _made(self, connector: Connector) -> Copies | None:
        for account in accounts(connector):
            if account.protocol is Protocol.IMAP:
                access = ConnectorAccess(account, self._access)
                return Copies(access, connector, self._search_seconds, self._cancelled)
        return None
