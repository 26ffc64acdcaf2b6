"""The IMAP session of an account that reads a mailbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.connection.base import AccountSession
from reconciler.connection.errors import FolderMissing
from reconciler.connection.failure import Stage
from reconciler.connection.observed import Offer
from reconciler.mail.folders import SentBy, choose_sent
from reconciler.mail.imap import ImapSession, Survey
from reconciler.model.connector import Security
from reconciler.wording import counted

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping

    from reconciler.mail.credentials import Credential


class ImapAccountSession(AccountSession):
    """A session over IMAP.

    A sign-in proves little, since Exchange accepts one without a mailbox: folders do.
    """

    _session: ImapSession | None = None
    survey: Survey | None = None
    sent: tuple[str, SentBy] | None = None

    @property
    def steps(self) -> Mapping[Stage, Callable[[], str]]:
        """The stages of both protocols, and the mailbox."""
        return {**super().steps, Stage.MAILBOX: self.mailbox}

    @property
    def session(self) -> ImapSession:
        """The session, once the server has greeted."""
        if self._session is None:
            raise RuntimeError("there is no session yet")
        return self._session

    def greet(self) -> None:
        """Read the greeting and, if it does not list them and no STARTTLS follows, the capabilities."""
        upgrade = self.account.security is Security.STARTTLS
        self._session = ImapSession(self.wire, upgrade=upgrade)

    def upgrade(self, context: ssl.SSLContext, server_hostname: str) -> None:
        """Do STARTTLS, and read the capabilities again."""
        self.session.start_tls(context, server_hostname)

    def ask_capabilities(self) -> None:
        """Do nothing: the server has already listed them."""

    def offer(self) -> Offer:
        """The capabilities that it listed."""
        listed = self.session.capabilities
        return Offer(
            self.session.mechanisms,
            frozenset(item for item in listed if not item.startswith("AUTH=")),
        )

    def sign_in(self, credential: Credential) -> str:
        """Sign in once and return the mechanism, or LOGIN for the command of that name."""
        return self.session.sign_in(credential)

    def mailbox(self) -> str:
        """NAMESPACE, LIST, EXAMINE INBOX, and the folder for sent mail where one is needed.

        A configured ``sent_folder`` must always exist. Otherwise there must be one if we file
        copies ourselves: the connector sends, copies are kept, and the provider is not known to
        file them.
        """
        found = self.session.survey("INBOX")
        folders, messages = found.folders, found.messages
        desired = self.account.connector.sent_folder
        self.survey = found
        sent = self.sent = choose_sent(folders, found.namespaces, desired)
        if sent is None and (desired is not None or self.account.needs_sent_folder):
            raise FolderMissing(desired, tuple(folder.name for folder in folders))
        inbox = "INBOX" if messages is None else f"{counted(messages, 'message')} in INBOX"
        detail = f"{counted(len(folders), 'folder')}, {inbox}"
        return detail if sent is None else f"{detail}, sent mail in {self.show(sent[0])}"

    def say_goodbye(self) -> None:
        """End the session."""
        if self._session is not None:
            self._session.close()
