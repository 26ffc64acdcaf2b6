"""The test mail: sent through a connector that works, found again in its inbox, and removed."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from reconciler.connection.account import accounts
from reconciler.connection.errors import NotDelivered
from reconciler.connection.failure import Protocol, Stage
from reconciler.connection.imap import ImapAccountSession
from reconciler.connection.smtp import SmtpAccountSession
from reconciler.mail.faults import Cancelled, Declined, TimedOut
from reconciler.mail.folders import find_sent
from reconciler.mail.smtp import Envelope
from reconciler.mail.testmail import HEADER, compose, new_token
from reconciler.probe.result import StageOutcome, StageResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.connection.account import Account
    from reconciler.mail.deadline import Deadline
    from reconciler.mail.imap import ImapSession
    from reconciler.mail.smtp import SmtpSession
    from reconciler.probe.stages import ConnectionTest

_AT_ONCE = 0.05
"""Seconds that nobody would call a wait."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 1.0
"""Seconds between two looks into the mailbox; each pause is twice the one before."""


class TestMailDelivery:
    """Sends one test mail, from the connector that ``sending`` is a half of.

    ``walk`` makes the walk that signs in to a half; ``look_for`` is in seconds.
    """

    def __init__(
        self,
        sending: Account,
        walk: Callable[[Account], ConnectionTest],
        deadline: Deadline,
        look_for: float,
    ) -> None:
        self._sending = sending
        self._connector = sending.connector
        self._walk = walk
        self._deadline = deadline
        self._look_for = look_for
        self._token = new_token()
        self._at_work = walk(sending)

    def result(self) -> StageResult:
        """Send it and look for it; whatever goes wrong is in the result."""
        started = time.monotonic()
        try:
            detail = self._deliver()
        except Cancelled:
            raise
        except Exception as error:  # noqa: BLE001 - a defect in one test must not end the run
            failure = self._at_work.explain(error)
            seconds = time.monotonic() - started
            return StageResult(Stage.DELIVERY, StageOutcome.FAILED, seconds, failure=failure)
        return StageResult(Stage.DELIVERY, StageOutcome.OK, time.monotonic() - started, detail)

    def _deliver(self) -> str:
        with self._at_work.signed_in(self._deadline, Stage.DELIVERY) as attempt:
            if isinstance(attempt, SmtpAccountSession):
                self._send(attempt.session)
        sent = f"sent to {self._sending.address}"
        reading = next(
            (account for account in accounts(self._connector) if account.protocol is Protocol.IMAP),
            None,
        )
        if reading is None:
            return f"{sent}; not looked for, since the connector has no imap"
        if not reads_own_address(reading):
            return f"{sent}; not looked for, since imap reads the mailbox of {reading.username}"
        self._at_work = self._walk(reading)
        found = ""
        with self._at_work.signed_in(self._deadline, Stage.MAILBOX) as attempt:
            if isinstance(attempt, ImapAccountSession):
                found = self._find(attempt.session)
        return f"{sent}, {found}"

    def _send(self, session: SmtpSession) -> None:
        address = self._sending.address
        content = compose(
            address=address,
            connector=self._connector.name,
            token=self._token,
            now=datetime.now(UTC),
        )
        envelope = Envelope(address, (address,), utf8=not address.isascii())
        done = session.submit(envelope, content, self._deadline)
        for _, reply in done.refused:
            raise Declined("RCPT", reply)

    def _find(self, session: ImapSession) -> str:
        """Look into the inbox until it is there, and remove it, and the copy that was filed in Sent."""
        started = time.monotonic()
        found = self._await(session)
        seconds = time.monotonic() - started
        removed = session.remove("INBOX", found)
        if self._connector.files_sent_copies:
            prefixes = tuple(prefix for prefix, _ in session.namespaces())
            sent = find_sent(session.folders(), prefixes, self._connector.sent_folder)
            if sent is not None:
                session.remove(sent, self._look(session, sent))
        when = f"after {seconds:.1f} s" if seconds >= _AT_ONCE else "at once"
        how = "removed" if removed else "marked as deleted, as the server allows no more"
        return f"found in the inbox {when}, {how}"

    def _await(self, session: ImapSession) -> tuple[int, ...]:
        until = time.monotonic() + self._look_for
        pause = _FIRST_PAUSE
        while not (found := self._look(session, "INBOX")):
            try:
                left = until - time.monotonic()
                if left <= 0:
                    raise NotDelivered
                self._deadline.pause(min(pause, left))
            except TimedOut:
                raise NotDelivered from None
            pause = min(pause * 2, _LONGEST_PAUSE)
        return found

    def _look(self, session: ImapSession, folder: str) -> tuple[int, ...]:
        # In the subject too: some servers look for no header but the well-known ones.
        return session.find(folder, (HEADER, self._token), ("Subject", self._token))


def reads_own_address(reading: Account) -> bool:
    """Whether mail to the connector's address is to be expected in the mailbox that it reads.

    It is if that is the mailbox of the address, by the name of the user, or if one account does both.
    """
    address, user = reading.address.casefold(), reading.username.casefold()
    named = user in (address, address.rpartition("@")[0])
    return named or reading.connector.use_same_credentials
