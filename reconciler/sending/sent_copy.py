"""Copies of sent mail, in the account that carried it.

Gmail, Exchange Online and others file mail that is sent over SMTP themselves, so ours would be a
duplicate. If the provider is not known to do so, we look before we file.
"""

from __future__ import annotations

from itertools import accumulate, takewhile
from typing import TYPE_CHECKING, Final

from reconciler.back_off import BackOff
from reconciler.connection.errors import FolderMissing
from reconciler.connection.failure import Stage
from reconciler.errors import ReconcilerError
from reconciler.mail.deadline import Deadline
from reconciler.mail.faults import (
    Declined,
    Disconnected,
    MailFault,
    ProtocolViolation,
    TimedOut,
)
from reconciler.mail.folders import choose_sent
from reconciler.model.connector import SaveSent
from reconciler.sending.message import TOKEN_HEADER
from reconciler.sending.outcome import Copy, CopyStatus

if TYPE_CHECKING:
    from collections.abc import Iterator
    from threading import Event

    from reconciler.connection.imap import ImapAccountSession
    from reconciler.mail.imap import ImapSession
    from reconciler.model.connector import Connector
    from reconciler.routing.request import Route
    from reconciler.sending.access import ConnectorAccess
    from reconciler.sending.message import Prepared

SEARCH_SECONDS: Final = 2.5
"""The default time to look for the first copy: some servers file theirs only after a while."""

_LOOKS = BackOff(first=0.5, longest=0.5)
"""The delays between the searches."""

NO_TIME: Final = Copy(CopyStatus.FAILED, sentence="there was no time left to file it")
"""The copy of a mail that was sent just before sending ended."""

_GONE = frozenset({"TRYCREATE", "NONEXISTENT"})
"""The server's answer if the folder was renamed or removed since it was chosen."""


def without_filing(route: Route, connector: Connector, asked: SaveSent | None) -> Copy | SaveSent:
    """The status of the copy if nothing has to be filed, or else how to file it.

    ``asked`` is the sender's request; the global policy, if it applies, overrides it. A pure function
    of its arguments.
    """
    forced = route.save_to_sent_items
    if forced is False:
        return Copy(CopyStatus.NOT_WANTED, sentence="the global SMTP policy files no copies")
    save = connector.save_sent if forced or asked is None else asked
    if forced and save is SaveSent.NEVER:
        save = SaveSent.AUTO
    if save is SaveSent.NEVER:
        return Copy(CopyStatus.NOT_WANTED, sentence="copies are turned off")
    if save is SaveSent.AUTO and connector.files_sent_copies:
        return Copy(CopyStatus.FILED_BY_PROVIDER, sentence="the provider files sent mail itself")
    if connector.imap is None:
        sentence = f"{connector.name} has no IMAP settings, so nothing can be filed"
        lenient = save is SaveSent.AUTO and not forced
        return Copy(CopyStatus.NOT_WANTED if lenient else CopyStatus.FAILED, sentence=sentence)
    return save


class Copies:
    """Files the copies of one connector, over a connection that is kept for many mails.

    ``search_seconds`` is how long to look for the server's own copy of the first mail; ``cancelled``
    stops everything.
    """

    def __init__(
        self,
        door: ConnectorAccess,
        connector: Connector,
        search_seconds: float,
        cancelled: Event | None = None,
    ) -> None:
        self._door = door
        self._search_seconds = search_seconds
        self._cancelled = cancelled
        self._connector = connector
        self._attempt: ImapAccountSession | None = None
        self._folder = ""
        self._knows_server = False

    def file(self, mail: Prepared, desired: SaveSent) -> Copy:
        """File the copy of a mail, unless it is there already.

        Raises nothing, because the mail is already sent.
        """
        kept = self._attempt is not None
        try:
            try:
                return self._file(mail, desired, kept=kept)
            except Disconnected:
                if not kept:
                    raise
                # It may have been filed before the connection was lost, so look first.
                return self._file(mail, SaveSent.AUTO)
            except Declined as fault:
                if not kept or fault.reply.status not in _GONE:
                    raise
                return self._file(mail, desired)  # into the current folder
        except (MailFault, ReconcilerError) as error:
            if self._cancelled is not None and self._cancelled.is_set():
                return NO_TIME
            return Copy(CopyStatus.FAILED, self._folder, self._reason(error))

    def close(self) -> None:
        """End the connection, if there is one."""
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            attempt.close()

    def _reason(self, error: MailFault | ReconcilerError) -> str:
        if isinstance(error, MailFault):
            return self._door.failure(error, Stage.MAILBOX).message
        return error.message

    def _file(self, mail: Prepared, desired: SaveSent, *, kept: bool = False) -> Copy:
        sentence = ""
        try:
            session = self._session()
            session.deadline = self._deadline(mail)
            if desired is SaveSent.AUTO:
                try:
                    if self._is_there(session, mail):
                        return Copy(CopyStatus.FOUND, self._folder, "the server filed it")
                except (Declined, Disconnected, ProtocolViolation, TimedOut) as fault:
                    if kept and isinstance(fault, Disconnected):
                        raise
                    # Two copies are better than none.
                    sentence = "the folder could not be searched, so the server's own copy may be there, too"
                    session = self._after(fault)
                    session.deadline = self._deadline(mail)
            session.append(self._folder, mail.copy, mail.at)
        except BaseException:
            self.close()
            raise
        return Copy(CopyStatus.APPENDED, self._folder, sentence)

    def _deadline(self, mail: Prepared) -> Deadline:
        return Deadline(self._door.timeout + len(mail.copy) / 20_000, self._cancelled)

    def _after(self, fault: MailFault) -> ImapSession:
        """Return a working session after a failed search: the same one after a clear rejection."""
        if not isinstance(fault, Declined):
            self.close()
        return self._session()

    def _session(self) -> ImapSession:
        if self._attempt is None:
            self._attempt = self._door.imap(self._cancelled)
            session = self._attempt.session
            session.deadline = Deadline(self._door.timeout, self._cancelled)
            found = session.survey("INBOX")
            desired = self._connector.sent_folder
            chosen = choose_sent(found.folders, found.namespaces, desired)
            if chosen is None:
                raise FolderMissing(desired, tuple(folder.name for folder in found.folders))
            self._folder = chosen[0]
        return self._attempt.session

    def _is_there(self, session: ImapSession, mail: Prepared) -> bool:
        """Look for the copy: patiently for the first mail, and once for those after it."""
        looks = () if self._knows_server else _waits(self._search_seconds)
        self._knows_server = True
        headers = (("Message-ID", mail.message_id), (TOKEN_HEADER, mail.token))
        searched = tuple(item for item in headers if item[1].isascii())
        for delay in (*looks, None):
            if session.find(self._folder, *searched):
                return True
            if delay is not None:
                session.deadline.pause(delay)
        return False


def _waits(seconds: float) -> Iterator[float]:
    """The waits between searches that fit into a number of seconds."""
    spent = accumulate(_LOOKS)
    return (
        delay
        for delay, _ in zip(_LOOKS, takewhile(lambda total: total <= seconds, spent), strict=False)
    )
