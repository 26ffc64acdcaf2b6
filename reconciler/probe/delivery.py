"""The test mail: sent through a working connector, found in its inbox, and removed."""

from __future__ import annotations

import time
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from reconciler.back_off import BackOff
from reconciler.connection.account import accounts
from reconciler.connection.account_secrets import AccountSecrets
from reconciler.connection.errors import NotDelivered
from reconciler.connection.failure import Stage
from reconciler.connection.imap import ImapAccountSession
from reconciler.connection.session import SIGN_IN_STAGES
from reconciler.connection.smtp import SmtpAccountSession
from reconciler.mail.deadline import Deadline
from reconciler.mail.faults import Cancelled, Declined, TimedOut
from reconciler.mail.folders import find_sent
from reconciler.mail.smtp import Envelope
from reconciler.mail.testmail import HEADER, compose, new_token
from reconciler.model.domain import address_key
from reconciler.model.protocol import Protocol
from reconciler.probe.result import ProtocolResult, StageOutcome, StageResult

if TYPE_CHECKING:
    from collections.abc import Iterator
    from threading import Event
    from typing import TypeVar

    from reconciler.connection.access import Access
    from reconciler.connection.account import Account
    from reconciler.connection.base import AccountSession
    from reconciler.mail.imap import ImapSession
    from reconciler.mail.smtp import SmtpSession

    S = TypeVar("S", bound=AccountSession)

_AT_ONCE: Final = 0.05
"""Seconds below which a mail is reported as found at once."""

LOOKS: Final = BackOff(first=0.1, longest=1.0)
"""The waits between two searches of the mailbox."""


class TestMailDelivery:
    """Sends one test mail through ``smtp``, the SMTP account of a connector, and looks for it over IMAP."""

    __test__ = False  # not a test case, whatever pytest makes of the name

    def __init__(self, smtp: Account, access: Access, cancelled: Event | None = None) -> None:
        self._smtp = smtp
        self._connector = smtp.connector
        self._access = access
        self._deadline = Deadline(
            smtp.connector.timeout_seconds or access.options.timeout, cancelled
        )
        self._token = new_token()
        self._session: AccountSession = self._new(SmtpAccountSession, smtp)

    def result(self) -> ProtocolResult:
        """Send it and look for it; failures are in the result. Raises Cancelled."""
        started = time.monotonic()
        try:
            detail = self._deliver()
        except Cancelled:
            raise
        except Exception as error:  # noqa: BLE001 - a defect in one test must not end the run
            failure = self._session.explain(error)
            seconds = time.monotonic() - started
            stage = StageResult(Stage.DELIVERY, StageOutcome.FAILED, seconds, failure=failure)
        else:
            seconds = time.monotonic() - started
            stage = StageResult(Stage.DELIVERY, StageOutcome.OK, seconds, detail)
        smtp = self._smtp
        return ProtocolResult(smtp.protocol, smtp.host, smtp.port, (stage,))

    def _deliver(self) -> str:
        with self._signed_in(SmtpAccountSession, self._smtp) as smtp:
            smtp.stage = Stage.DELIVERY
            self._send(smtp.session)
        elsewhere = self._connector.test_recipient
        sent = f"sent to {elsewhere or self._smtp.address}"
        if elsewhere is not None and address_key(elsewhere) != address_key(self._smtp.address):
            return f"{sent}; not looked for, since that is not the connector's own address"
        reading = next(
            (account for account in accounts(self._connector) if account.protocol is Protocol.IMAP),
            None,
        )
        if reading is None:
            return f"{sent}; not looked for, because the connector has no imap"
        if not reads_own_address(reading):
            return f"{sent}; not looked for, because imap reads the mailbox of {reading.username}"
        with self._signed_in(ImapAccountSession, reading) as imap:
            imap.stage = Stage.MAILBOX
            return f"{sent}, {self._find(imap.session)}"

    def _new(self, kind: type[S], account: Account) -> S:
        secrets = AccountSecrets(account, self._access)
        return kind(account, secrets, self._access.options, deadline=self._deadline)

    @contextmanager
    def _signed_in(self, kind: type[S], account: Account) -> Iterator[S]:
        session = self._new(kind, account)
        self._session = session  # which explains failures
        try:
            session.open(SIGN_IN_STAGES)
            yield session
        finally:
            session.close()

    def _send(self, session: SmtpSession) -> None:
        address = self._smtp.address
        recipient = self._connector.test_recipient or address
        content = compose(
            address=address,
            recipient=recipient,
            connector=self._connector.name,
            token=self._token,
            now=datetime.now(UTC),
        )
        envelope = Envelope(address, (recipient,), utf8=not (address + recipient).isascii())
        done = session.submit(envelope, content, self._deadline)
        for _, reply in done.refused:
            raise Declined("RCPT", reply)

    def _find(self, session: ImapSession) -> str:
        """Search the inbox until it arrives, and remove it and the copy in Sent."""
        started = time.monotonic()
        found = self._await(session)
        seconds = time.monotonic() - started
        removed = session.remove("INBOX", found)
        if self._connector.files_sent_copies:
            desired = self._connector.sent_folder
            sent = find_sent(session.folders(), session.namespaces(), desired)
            if sent is not None:
                session.remove(sent, self._look(session, sent))
        when = f"after {seconds:.1f} s" if seconds >= _AT_ONCE else "at once"
        how = "removed" if removed else "marked as deleted, because the server cannot remove it"
        return f"found in the inbox {when}, {how}"

    def _await(self, session: ImapSession) -> tuple[int, ...]:
        until = time.monotonic() + self._access.options.delivery_seconds
        for delay in LOOKS:
            if found := self._look(session, "INBOX"):
                return found
            try:
                left = until - time.monotonic()
                if left <= 0:
                    break
                self._deadline.pause(min(delay, left))
            except TimedOut:
                break
        raise NotDelivered

    def _look(self, session: ImapSession, folder: str) -> tuple[int, ...]:
        # Also in the subject: some servers search only well-known headers.
        return session.find(folder, (HEADER, self._token), ("Subject", self._token))


def reads_own_address(reading: Account) -> bool:
    """Whether mail to the connector's address should arrive in the mailbox that it reads.

    It should if that is the address's mailbox, judging by the user name, or if one account does both.
    """
    address, user = address_key(reading.address), address_key(reading.username)
    named = user in (address, address.rpartition("@")[0])
    return named or reading.connector.use_same_credentials
