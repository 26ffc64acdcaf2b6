"""Filing the copies of sent mail: each connector over one IMAP connection, whichever thread has sent the mail."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from reconciler.connection.account import accounts
from reconciler.model.protocol import Protocol
from reconciler.sending.access import ConnectorAccess
from reconciler.sending.outcome import Copy, CopyStatus
from reconciler.sending.sent_copy import Copies, without_filing

if TYPE_CHECKING:
    from reconciler.connection.access import Access
    from reconciler.model.connector import Connector, SaveSent
    from reconciler.sending.message import Prepared


class Filing:
    """Files the copies of all connectors. Threads may share it; those with mails of one connector take turns."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._lock = threading.Lock()
        self._cabinets: dict[str, _Cabinet] = {}

    def file(self, mail: Prepared, connector: Connector, asked: SaveSent | None) -> Copy:
        """File the copy of a mail as configured; raises nothing, because the mail is already sent."""
        decision = without_filing(mail.route, connector, asked)
        if isinstance(decision, Copy):
            return decision
        return self._cabinet(connector).file(mail, connector, decision)

    def close(self) -> None:
        """End all connections, after the copies that are being filed."""
        with self._lock:
            cabinets = tuple(self._cabinets.values())
            self._cabinets.clear()
        for cabinet in cabinets:
            cabinet.close()

    def _cabinet(self, connector: Connector) -> _Cabinet:
        with self._lock:
            return self._cabinets.setdefault(connector.name, _Cabinet(self._access))


class _Cabinet:
    """The IMAP connection of one connector, and whose turn it is."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._turn = threading.Lock()
        self._connector: Connector | None = None
        self._copies: Copies | None = None

    def file(self, mail: Prepared, connector: Connector, desired: SaveSent) -> Copy:
        with self._turn:
            if self._copies is None or self._connector != connector:
                self._end()
                self._copies = _copies(connector, self._access)
                self._connector = connector
            if self._copies is None:
                sentence = f"{connector.name} has no IMAP settings"
                return Copy(CopyStatus.FAILED, sentence=sentence)
            return self._copies.file(mail, desired)

    def close(self) -> None:
        with self._turn:
            self._end()

    def _end(self) -> None:
        copies, self._copies = self._copies, None
        if copies is not None:
            copies.close()


def _copies(connector: Connector, access: Access) -> Copies | None:
    for account in accounts(connector):
        if account.protocol is Protocol.IMAP:
            return Copies(ConnectorAccess(account, access), connector)
    return None
