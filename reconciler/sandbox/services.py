"""The halves of connectors as the sandbox has to serve them: hosts and users spelt as keys."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.connection.failure import Protocol
from reconciler.mail.resolve import ascii_host
from reconciler.model.connector import Connector, MailServer, Security
from reconciler.sandbox.accounts import SandboxAccount, address_key, username_key


@dataclass(frozen=True, slots=True)
class Service:
    """One half of a connector with nothing missing."""

    connector: Connector
    protocol: Protocol
    server: MailServer
    host: str
    port: int
    security: Security
    username: str

    @property
    def user(self) -> tuple[str, str]:
        """Host and user name, which one mailbox belongs to."""
        return self.host, self.username

    @property
    def account(self) -> SandboxAccount:
        """Who signs in where."""
        return SandboxAccount(self.protocol, self.host, self.username)

    @property
    def own_address(self) -> str:
        """The address that this half is about, put together from user and host at worst."""
        if self.connector.email_address is not None:
            return address_key(self.connector.email_address)
        return self.username if "@" in self.username else f"{self.username}@{self.host}"


def services_of(connector: Connector) -> tuple[Service, ...]:
    """The halves of a connector that are in use; none of a draft."""
    if connector.draft:
        return ()
    halves = [(Protocol.IMAP, connector.imap)]
    if connector.enable_mail_send_from:
        halves.append((Protocol.SMTP, connector.smtp))
    return tuple(
        Service(
            connector,
            protocol,
            server,
            ascii_host(server.server),
            server.port,
            server.security,
            username_key(server.username),
        )
        for protocol, server in halves
        # The comparisons with None say to the type checker what `complete` says to people.
        if server is not None
        and server.complete
        and server.server is not None
        and server.port is not None
        and server.security is not None
        and server.username is not None
    )
