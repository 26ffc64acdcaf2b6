"""Sending through one connector, over a connection that is kept for many mails."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.connection.account import accounts
from reconciler.connection.failure import Stage
from reconciler.errors import DeliveryUncertain, SendFailed
from reconciler.mail.deadline import Deadline
from reconciler.mail.faults import Cancelled, Declined, Disconnected, MailFault, Uncertain
from reconciler.model.protocol import Protocol
from reconciler.sending.access import ConnectorAccess, called_off
from reconciler.sending.outcome import RefusedRecipient, SomeRefused
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event

    from reconciler.connection.access import Access
    from reconciler.connection.account import Account
    from reconciler.connection.smtp import SmtpAccountSession
    from reconciler.mail.faults import Reply
    from reconciler.mail.smtp import Envelope, SmtpSession, Submission
    from reconciler.model.connector import Connector
    from reconciler.sending.message import Prepared

_MOST = 500
"""How many mails to send over one connection: many servers have a limit, and close it with a 421."""


def smtp_account(connector: Connector) -> Account:
    """Return the account that a connector sends through; raises ValueError for one that cannot send."""
    found = [item for item in accounts(connector) if item.protocol is Protocol.SMTP]
    if not found:
        raise ValueError(f"{connector.address} cannot send")
    return found[0]


class HandedOver(Struct, frozen=True):
    """A mail that the server accepted: its accepted and refused recipients, and the last reply."""

    host: str
    port: int
    accepted: tuple[str, ...]
    refused: tuple[RefusedRecipient, ...]
    reply: str


class Outgoing:
    """Sends the mails of one connector, one after the other; the connection is opened on demand."""

    def __init__(self, connector: Connector, access: Access) -> None:
        account = smtp_account(connector)
        self.connector = connector
        self.host, self.port = account.host, account.port
        self._access = ConnectorAccess(account, access)
        self._attempt: SmtpAccountSession | None = None
        self._mails = 0
        self._kept = False

    def connect(self, cancelled: Event | None = None) -> None:
        """Make the connection, unless there is one; raises SendFailed, or SecretError."""
        if self._mails >= _MOST:
            self.close()
        self._kept = self._attempt is not None
        if self._attempt is None:
            self._attempt = self._access.smtp(cancelled)

    def send(
        self,
        mail: Prepared,
        before_text: Callable[[], None],
        cancelled: Event | None = None,
        *,
        all_or_none: bool = False,
    ) -> HandedOver:
        """Hand a mail over, using the connection from ``connect``.

        ``before_text`` is called before the text is sent; until then, nothing is delivered. A kept
        connection that turns out to be closed is reopened once; nothing had been sent over it. Raises
        SendFailed if no recipient was accepted, SomeRefused if only some were and ``all_or_none`` is
        set, DeliveryUncertain if the result is unknown, SecretError. ``cancelled`` stops a mail that
        was not handed over yet.
        """
        kept = self._kept
        submit = partial(self._submit, mail, before_text, cancelled, all_or_none=all_or_none)
        try:
            submission = submit()
        except SendFailed:
            raise
        except (Declined, Disconnected) as fault:
            if not kept or (isinstance(fault, Declined) and fault.reply.code != "421"):
                raise self._failed(fault) from None
            try:
                submission = submit()
            except MailFault as again:
                raise self._failed(again) from None
        except MailFault as fault:
            raise self._failed(fault) from None
        return self._told(submission, all_or_none=all_or_none)

    @property
    def connected(self) -> bool:
        """Whether there is a connection, as far as is known: the server may have closed it."""
        return self._attempt is not None

    def close(self) -> None:
        """End the connection, if there is one."""
        attempt, self._attempt, self._mails = self._attempt, None, 0
        if attempt is not None:
            attempt.close()

    def abandon(self) -> None:
        """Drop the connection silently: another process is using it."""
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            attempt.abandon()

    def _submit(
        self,
        mail: Prepared,
        before_text: Callable[[], None],
        cancelled: Event | None,
        *,
        all_or_none: bool,
    ) -> Submission:
        if self._attempt is None:
            self._attempt = self._access.smtp(cancelled)
        session = self._attempt.session
        envelope, content = _suited(mail, session, self._access.account.host)
        session.deadline = Deadline(self._access.timeout, cancelled)
        seconds = self._access.handover_seconds
        deadline = None if seconds is None else Deadline(seconds)
        try:
            submission = session.submit(
                envelope, content, deadline, before_text, all_or_none=all_or_none
            )
        except BaseException:
            self.close()
            raise
        self._mails += 1
        return submission

    def _failed(self, fault: MailFault) -> SendFailed:
        if isinstance(fault, Uncertain):
            host = self._access.account.host
            return DeliveryUncertain(
                f"{host} received the whole mail, but did not confirm it: it may have been delivered",
                temporary=False,
                hint="Check whether it arrived before you send it again.",
            )
        if isinstance(fault, Cancelled):
            return called_off()
        return self._access.failure(fault, Stage.ENVELOPE)

    def _told(self, submission: Submission, *, all_or_none: bool) -> HandedOver:
        show = self._access.show
        refused = tuple(
            RefusedRecipient(recipient, reply.code, reply.status, show(reply.text))
            for recipient, reply in submission.refused
        )
        if submission.reply is None:
            if all_or_none and (
                submission.accepted or len({item.temporary for item in refused}) > 1
            ):
                raise SomeRefused(self._access.account.host, refused)
            raise SendFailed(
                f"{self._access.account.host} accepts none of the recipients: "
                + "; ".join(str(item) for item in refused),
                temporary=all(item.temporary for item in refused),
                code=refused[0].code,
                status=refused[0].status,
                hint=self._hint(submission.refused[0][1]),
            )
        final = f"{submission.reply.code} {show(submission.reply.text)}"
        return HandedOver(self.host, self.port, submission.accepted, refused, final)

    def _hint(self, reply: Reply) -> str:
        """The remedy for a refused recipient; without a sign-in, that may be the cause."""
        if self._access.account.settings.signs_in:
            return "Check the addresses, and whether the account may send to them."
        return self._access.failure(Declined("RCPT", reply), Stage.ENVELOPE).hint or ""


def _suited(mail: Prepared, session: SmtpSession, host: str) -> tuple[Envelope, bytes]:
    """Return the mail in a form that this server accepts; raises SendFailed if there is none."""
    envelope, content, able = mail.envelope, mail.content, session.capabilities
    if envelope.utf8 and "SMTPUTF8" not in able:
        raise SendFailed(
            f"{host} accepts no non-ASCII addresses or header fields (SMTPUTF8)",
            temporary=False,
            hint="Write them in ASCII; most mailboxes have such an address, too.",
        )
    if envelope.eight_bit and "8BITMIME" not in able:
        if mail.seven_bit is None:
            raise SendFailed(
                f"{host} accepts no non-ASCII text (8BITMIME), and this mail cannot be re-encoded",
                temporary=False,
                hint="Encode its body (quoted-printable or base64).",
            )
        envelope, content = replace(envelope, eight_bit=False), mail.seven_bit
    limit = session.size_limit
    if limit and len(content) > limit:
        raise SendFailed(
            f"the mail has {_megabytes(len(content))}, but {host} accepts {_megabytes(limit)} at most",
            temporary=False,
            status="5.3.4",
            hint="Attach less. An attachment grows by a third when it is encoded.",
        )
    return envelope, content


def _megabytes(octets: int) -> str:
    return f"{octets / 1_000_000:.1f} MB"
