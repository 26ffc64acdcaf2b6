"""One half of a connector, ready to be tested: its IMAP or its SMTP settings, none of them missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.connection.failure import Protocol
from reconciler.mail.resolve import ascii_host
from reconciler.model.connector import Connector, MailServer, SaveSent, Security

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Account:
    """What is tested. ``settings`` is where the credential is named."""

    protocol: Protocol
    connector: Connector
    settings: MailServer
    host: str
    port: int
    security: Security
    username: str

    @property
    def host_key(self) -> str:
        """What the cap for each host counts by."""
        return ascii_host(self.host)

    @property
    def account_key(self) -> tuple[str, str]:
        """What only one test at a time is made of."""
        return self.host_key, self.username.casefold()

    @property
    def address(self) -> str:
        """The address that the connector sends as."""
        return self.connector.email_address or self.username

    @property
    def needs_sent_folder(self) -> bool:
        """Whether copies of sent mail would be filed by us, so that there must be a folder for them."""
        connector = self.connector
        if not connector.can_send or connector.save_sent is SaveSent.NEVER:
            return False
        return connector.save_sent is SaveSent.ALWAYS or not connector.files_sent_copies


def accounts(connector: Connector) -> tuple[Account, ...]:
    """The halves of a connector that are in use; SMTP is not where sending is disabled.

    Raises ValueError for a draft, which is never tested, and for a connector that lacks a setting.
    """
    if connector.draft:
        raise ValueError(f"{connector.address} is a draft, and drafts are never tested")
    return tuple(_accounts(connector))


def _accounts(connector: Connector) -> Iterator[Account]:
    used = (
        (Protocol.IMAP, connector.imap),
        (Protocol.SMTP, connector.smtp if connector.enable_mail_send_from else None),
    )
    for protocol, settings in used:
        if settings is None:
            continue
        host, port, security = settings.server, settings.port, settings.security
        if host is None or port is None or security is None or settings.username is None:
            raise ValueError(f"{connector.address} is incomplete: {protocol}")
        yield Account(protocol, connector, settings, host, port, security, settings.username)
