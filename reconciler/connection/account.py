"""An account: the IMAP or the SMTP settings of a connector, complete enough to connect with."""

from __future__ import annotations

from msgspec import Struct

from reconciler.mail.resolve import ascii_host
from reconciler.model.connector import Connector, MailServer, SaveSent, Security
from reconciler.model.domain import with_a_label
from reconciler.model.protocol import Protocol


class Account(Struct, frozen=True):
    """The account that a session is opened for.

    ``settings`` names the credential; the rest of it is repeated here. ``username`` is empty
    without a sign-in. ``sender`` is one of the connector's additional addresses while the
    session sends as that.
    """

    protocol: Protocol
    connector: Connector
    settings: MailServer
    host: str
    port: int
    security: Security
    username: str
    sender: str = ""

    @property
    def shown_host(self) -> str:
        """The host for people, with its A-label if it is not ASCII."""
        return with_a_label(self.host)

    @property
    def host_key(self) -> str:
        """The host in the normalised spelling that limits and listeners use."""
        return ascii_host(self.host)

    @property
    def account_key(self) -> tuple[str, str]:
        """Host and user; at most one test at a time uses each pair."""
        return self.host_key, (self.username or self.address).casefold()

    @property
    def address(self) -> str:
        """The address that the connector sends as."""
        return self.sender or self.connector.email_address or self.username

    @property
    def needs_sent_folder(self) -> bool:
        """Whether we file copies of sent mail for this connector, and so need a folder."""
        connector = self.connector
        if not connector.can_send or connector.save_sent is SaveSent.NEVER:
            return False
        return connector.save_sent is SaveSent.ALWAYS or not connector.files_sent_copies


def accounts(connector: Connector) -> tuple[Account, ...]:
    """Return the accounts that a connector uses, IMAP first; SMTP only if sending is enabled.

    Raises ValueError for a draft, which is never connected to, and for a connector that lacks a setting.
    """
    if connector.draft:
        raise ValueError(f"{connector.address} is a draft, and drafts are never tested")
    found = []
    for protocol, settings in _used(connector):
        account = _account(protocol, connector, settings)
        if account is None:
            raise ValueError(f"{connector.address} is incomplete: {protocol}")
        found.append(account)
    return tuple(found)


def complete_accounts(connector: Connector) -> tuple[Account, ...]:
    """Return the complete accounts of a connector; a draft may have some too."""
    made = (_account(protocol, connector, settings) for protocol, settings in _used(connector))
    return tuple(account for account in made if account is not None)


def _used(connector: Connector) -> tuple[tuple[Protocol, MailServer], ...]:
    found = (
        (Protocol.IMAP, connector.imap),
        (Protocol.SMTP, connector.smtp if connector.enable_mail_send_from else None),
    )
    return tuple((protocol, settings) for protocol, settings in found if settings is not None)


def _account(protocol: Protocol, connector: Connector, settings: MailServer) -> Account | None:
    host, port, security = settings.server, settings.port, settings.security
    username = settings.username if settings.signs_in else ""
    if not settings.complete:
        return None
    # For the type checker, these comparisons repeat what `complete` says.
    if host is None or port is None or security is None or username is None:
        return None
    return Account(protocol, connector, settings, host, port, security, username)
