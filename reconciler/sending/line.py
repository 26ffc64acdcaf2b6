"""What one connector sends mail through: its SMTP session, and the IMAP session that files copies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.probe.half import halves
from reconciler.probe.result import Protocol
from reconciler.sending.access import Door
from reconciler.sending.copies import Copies, without_filing
from reconciler.sending.outcome import Copy, Fate
from reconciler.sending.outgoing import Outgoing

if TYPE_CHECKING:
    from reconciler.model.connector import Connector, SaveSent
    from reconciler.sending.access import Access
    from reconciler.sending.prepared import Prepared


class Line:
    """The connections of one connector, which are made when they are needed and kept."""

    def __init__(self, connector: Connector, access: Access) -> None:
        by_protocol = {half.protocol: half for half in halves(connector)}
        smtp = by_protocol[Protocol.SMTP]
        imap = by_protocol.get(Protocol.IMAP)
        self.connector = connector
        self.host, self.port = smtp.host, smtp.port
        self.outgoing = Outgoing(Door(smtp, access))
        self._copies = Copies(Door(imap, access), connector) if imap is not None else None

    def copy(self, mail: Prepared, asked: SaveSent | None) -> Copy:
        """File the copy of a mail as is wanted."""
        decision = without_filing(mail.route, self.connector, asked)
        if isinstance(decision, Copy):
            return decision
        if self._copies is None:
            return Copy(Fate.FAILED, sentence=f"{self.connector.name} has no IMAP settings")
        return self._copies.file(mail, decision)

    def close(self) -> None:
        """End them."""
        self.outgoing.close()
        if self._copies is not None:
            self._copies.close()
