"""The test of an account that sends over SMTP."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.connection.base import AccountSession
from reconciler.connection.failure import Stage
from reconciler.connection.observed import Offer
from reconciler.mail.smtp import SmtpSession

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping

    from reconciler.mail.credentials import Credential


class SmtpAccountSession(AccountSession):
    """Signs in and begins a mail to the address itself, but takes it back before there is any text."""

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
        self._session = SmtpSession(self.wire)

    def upgrade(self, context: ssl.SSLContext, server_hostname: str) -> None:
        """Do STARTTLS; EHLO comes before it and again after it."""
        self.session.hello()
        self.session.start_tls(context, server_hostname)

    def ask_capabilities(self) -> None:
        """EHLO."""
        self.session.hello()

    def offer(self) -> Offer:
        """What it has answered to EHLO."""
        session = self.session
        return Offer(session.mechanisms, session.capabilities - {"AUTH"}, session.size_limit)

    def sign_in(self, credential: Credential) -> str:
        """Sign in once and return the mechanism."""
        return self.session.sign_in(credential)

    def envelope(self) -> str:
        """MAIL FROM each address of the connector, RCPT TO its own, then RSET.

        Passing proves less than it seems: some servers check the right to send as an address only after
        the text of a mail.
        """
        address = self.account.address
        self.session.envelope(address, address)
        further = [item for item in self.account.connector.also_sends_as if "*" not in item]
        for item in further:
            self.account = replace(self.account, sender=item)  # whom a failure is then about
            self.session.envelope(item, address)
        self.account = replace(self.account, sender="")
        limit = self.session.size_limit
        detail = f"takes mail from and to {address}"
        if further:
            detail += f", and from {len(further)} further"
        return f"{detail}, up to {limit // 1_000_000} MB" if limit else detail

    def say_goodbye(self) -> None:
        """End the session."""
        if self._session is not None:
            self._session.close()
