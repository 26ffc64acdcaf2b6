"""A connector's sessions: SMTP for sending, IMAP for filing copies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.connection.account import accounts
from reconciler.model.protocol import Protocol
from reconciler.sending.access import ConnectorAccess
from reconciler.sending.outcome import Copy, CopyStatus
from reconciler.sending.outgoing import Outgoing
from reconciler.sending.sent_copy import Copies, without_filing

if TYPE_CHECKING:
    from reconciler.connection.access import Access
    from reconciler.model.connector import Connector, SaveSent
    from reconciler.sending.message import Prepared


class ConnectorSession:
    """The connections of one connector, which are made when they are needed and kept."""

    def __init__(self, connector: Connector, access: Access) -> None:
        by_protocol = {account.protocol: account for account in accounts(connector)}
        smtp = by_protocol[Protocol.SMTP]
        imap = by_protocol.get(Protocol.IMAP)
        self.connector = connector
        self.host, self.port = smtp.host, smtp.port
        self.outgoing = Outgoing(ConnectorAccess(smtp, access))
        self._copies = (
            Copies(ConnectorAccess(imap, access), connector) if imap is not None else None
        )

    def copy(self, mail: Prepared, asked: SaveSent | None) -> Copy:
        """File the copy of a mail as configured."""
        decision = without_filing(mail.route, self.connector, asked)
        if isinstance(decision, Copy):
            return decision
        if self._copies is None:
            return Copy(CopyStatus.FAILED, sentence=f"{self.connector.name} has no IMAP settings")
        return self._copies.file(mail, decision)

    def close(self) -> None:
        """End them."""
        self.outgoing.close()
        if self._copies is not None:
            self._copies.close()
