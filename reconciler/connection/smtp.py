"""The SMTP session of an account that sends."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reconciler.connection.base import AccountSession
from reconciler.connection.failure import Stage
from reconciler.connection.observed import Offer
from reconciler.mail.faults import Declined
from reconciler.mail.smtp import SmtpSession
from reconciler.values import replace

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping

    from reconciler.mail.credentials import Credential


_NO_MAILBOX = re.compile(r"5\.1\.(?:[0-6]|10)|5\.2\.1")
_NOT_NOW = re.compile(r"[45]\.2\.[1-4]|4\.1\.[1-6]")
_FULL = re.compile(r"over ?quota|quota exceeded|mailbox (?:is )?full", re.IGNORECASE)
_SENDER = re.compile(r"sender|mail from", re.IGNORECASE)
"""A rejection of the sender, which some servers, such as Postfix, issue only at the recipient."""
_POLICY = re.compile(r"relay|denied|polic|spam|block|authenticat|not permitted", re.IGNORECASE)


def _says_no_mailbox(declined: Declined) -> bool:
    """Whether a recipient is rejected because the mailbox does not exist (RFC 3463 section 3.2)."""
    reply = declined.reply
    if declined.command != "RCPT" or reply.code not in ("550", "551", "553"):
        return False
    if _SENDER.search(reply.text):
        return False
    if reply.status:
        return _NO_MAILBOX.fullmatch(reply.status) is not None
    return not _POLICY.search(reply.text)


def _says_not_now(declined: Declined) -> bool:
    """Whether the recipient's mailbox accepts no mail: full, or disabled (RFC 3463 section 3.3)."""
    reply = declined.reply
    if declined.command != "RCPT" or reply.code == "421" or _SENDER.search(reply.text):
        return False
    return bool(_NOT_NOW.fullmatch(reply.status) or _FULL.search(reply.text))


class SmtpAccountSession(AccountSession):
    """Signs in and starts a mail to the address itself, but cancels it before any text."""

    _session: SmtpSession | None = None

    @property
    def steps(self) -> Mapping[Stage, Callable[[], str]]:
        """The stages of both protocols, and the envelope."""
        return {**super().steps, Stage.ENVELOPE: self.envelope}

    @property
    def session(self) -> SmtpSession:
        """The session, once the server has greeted."""
        if self._session is None:
            raise RuntimeError("there is no session yet")
        return self._session

    def greet(self) -> None:
        """Read the greeting."""
        self._session = SmtpSession(self.wire, self.account.connector.ehlo_name)

    def upgrade(self, context: ssl.SSLContext, server_hostname: str) -> None:
        """Do STARTTLS; EHLO comes before it and again after it."""
        self.session.hello()
        self.session.start_tls(context, server_hostname)

    def ask_capabilities(self) -> None:
        """EHLO."""
        self.session.hello()

    def offer(self) -> Offer:
        """Its answer to EHLO."""
        session = self.session
        return Offer(session.mechanisms, session.capabilities - {"AUTH"}, session.size_limit)

    def sign_in(self, credential: Credential) -> str:
        """Sign in once and return the mechanism."""
        return self.session.sign_in(credential)

    def envelope(self) -> str:
        """MAIL FROM each address of the connector, RCPT TO its own or ``test_recipient``, then RSET.

        If one of our addresses has no mailbox, or a full one, that is a warning: sending works
        without.

        Passing proves less than it seems: some servers check the right to send as an address only after
        the text of a mail.
        """
        address = self.account.address
        recipient = self.account.connector.test_recipient or address
        self._try_envelope(address, recipient)
        further = [item for item in self.account.connector.also_sends_as if "*" not in item]
        for item in further:
            self.account = replace(
                self.account, sender=item
            )  # the subject of a failure from here on
            self._try_envelope(item, recipient)
        self.account = replace(self.account, sender="")
        limit = self.session.size_limit
        detail = (
            f"takes mail from and to {address}"
            if recipient == address and not self.warning
            else f"takes mail from {address}"
        )
        if further:
            detail += f", and from {len(further)} further"
        return f"{detail}, up to {limit // 1_000_000} MB" if limit else detail

    def _try_envelope(self, sender: str, recipient: str) -> None:
        try:
            self.session.envelope(sender, recipient)
        except Declined as declined:
            if self.account.connector.test_recipient is not None:
                raise
            if _says_no_mailbox(declined):
                wrong = f"has no mailbox for {recipient}"
            elif _says_not_now(declined):
                wrong = f"takes no mail for {recipient} at the moment"
            else:
                raise
            self.warning = (
                f"{self.account.host} {wrong} ({declined.reply.code}): mail can "
                "be sent, but answers and bounces to it are lost; `reply_to` says where answers go, "
                "and `test_recipient` names an address for tests"
            )

    def say_goodbye(self) -> None:
        """End the session."""
        if self._session is not None:
            self._session.close()
