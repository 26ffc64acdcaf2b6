from __future__ import annotations

import smtplib
import socket
import ssl
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
from imapclient import IMAPClient

from reconciler.model.connector import Connector, MailServer, Security
from reconciler.model.protocol import Protocol
from reconciler.model.secret_ref import SecretRef
from reconciler.sandbox.session import Sandbox, ServedEndpoint, Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TIMEOUT = 20


@pytest.fixture
def server() -> Callable[..., MailServer]:
    """Make one account of a connector."""

    def make(host: str, port: int, security: Security, username: str, reference: str) -> MailServer:
        return MailServer(
            server=host,
            port=port,
            security=security,
            username=username,
            password=SecretRef.parse(reference),
        )

    return make


@pytest.fixture
def connector(server: Callable[..., MailServer]) -> Callable[..., Connector]:
    """Make a connector that reads and sends at servers of its own, with one password for both."""

    def make(
        name: str = "support",
        security: Security = Security.IMPLICIT,
        *,
        domain: str = "corp.example",
        files_sent_copies: bool = False,
        sent_folder: str | None = None,
    ) -> Connector:
        address = f"{name}@{domain}"
        reference = f"env:{name.upper()}"
        ports = {
            Security.IMPLICIT: (993, 465),
            Security.STARTTLS: (143, 587),
            Security.NONE: (1143, 2525),
        }[security]
        return Connector(
            name=name,
            display_name=name,
            imap=server(f"imap.{domain}", ports[0], security, address, reference),
            smtp=server(f"smtp.{domain}", ports[1], security, address, reference),
            enable_mail_send_from=True,
            email_address=address,
            files_sent_copies=files_sent_copies,
            sent_folder=sent_folder,
        )

    return make


class Clients:
    """Connects real clients to hosts by their own names, redirected as the session says."""

    def __init__(self, session: Session, stack: ExitStack) -> None:
        self.session = session
        self._stack = stack
        self.trust = ssl.create_default_context(cafile=session.environment["RECONCILER_CA_FILE"])

    def endpoint(self, protocol: Protocol, connector: str) -> ServedEndpoint:
        """Find what serves a connector."""
        return next(
            endpoint
            for endpoint in self.session.endpoints
            if endpoint.protocol is protocol and connector in endpoint.connectors
        )

    def imap(self, connector: str, *, starttls: bool = True) -> IMAPClient:
        """Connect to IMAP, with TLS as the connector has it."""
        endpoint = self.endpoint(Protocol.IMAP, connector)
        implicit = endpoint.security is Security.IMPLICIT
        client = IMAPClient(
            endpoint.host,
            endpoint.port,
            ssl=implicit,
            ssl_context=self.trust if implicit else None,
            timeout=TIMEOUT,
        )
        self._stack.callback(_shut_down, client)
        if starttls and endpoint.security is Security.STARTTLS:
            client.starttls(self.trust)
        return client

    def smtp(self, connector: str, *, starttls: bool = True) -> smtplib.SMTP:
        """Connect to SMTP, with TLS as the connector has it, and say EHLO."""
        endpoint = self.endpoint(Protocol.SMTP, connector)
        client: smtplib.SMTP
        if endpoint.security is Security.IMPLICIT:
            client = smtplib.SMTP_SSL(
                endpoint.host, endpoint.port, context=self.trust, timeout=TIMEOUT
            )
        else:
            client = smtplib.SMTP(endpoint.host, endpoint.port, timeout=TIMEOUT)
        self._stack.callback(client.close)
        client.ehlo()
        if starttls and endpoint.security is Security.STARTTLS:
            client.starttls(context=self.trust)
            client.ehlo()
        return client

    def signed_in_imap(self, connector: Connector) -> IMAPClient:
        """Connect to IMAP and sign in."""
        assert connector.imap is not None
        client = self.imap(connector.name)
        client.login(connector.imap.username, self.password(connector.imap))
        return client

    def signed_in_smtp(self, connector: Connector) -> smtplib.SMTP:
        """Connect to SMTP and sign in."""
        assert connector.smtp is not None
        client = self.smtp(connector.name)
        client.login(connector.smtp.username or "", self.password(connector.smtp))
        return client

    def password(self, server: MailServer) -> str:
        """Look up what the environment says."""
        assert server.password is not None
        return self.session.environment[server.password.target]


def _shut_down(client: IMAPClient) -> None:
    # After a handshake that failed there is no socket any more, which imaplib is surprised at.
    with suppress(OSError):
        client.shutdown()


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Session], Clients]]:
    """Make clients that connect where the session's RECONCILER_CONNECT_TO says."""
    routes: dict[tuple[str, int], tuple[str, int]] = {}
    connect = socket.create_connection

    def redirected(address: tuple[str, int], *args: Any, **kwargs: Any) -> socket.socket:
        return connect(routes[address], *args, **kwargs)

    monkeypatch.setattr(socket, "create_connection", redirected)
    with ExitStack() as stack:

        def make(session: Session) -> Clients:
            routes.clear()
            *entries, last = session.environment["RECONCILER_CONNECT_TO"].split()
            assert last == "*"
            for entry in entries:
                source, _, target = entry.partition("=")
                host, _, port = source.rpartition(":")
                local_host, _, local_port = target.rpartition(":")
                routes[host, int(port)] = (local_host, int(local_port))
            return Clients(session, stack)

        yield make


@pytest.fixture
def sandbox(tmp_path: Path, clients: Callable[[Session], Clients]) -> Callable[..., Any]:
    """Run a sandbox for connectors, as a context manager that gives clients for it.

    Whatever happened in it, the servers themselves must not have failed.
    """

    @contextmanager
    def run(*connectors: Connector) -> Iterator[Clients]:
        with Sandbox(connectors, tmp_path / "sandbox") as session:
            yield clients(session)
        assert session.journal.faults == ()

    return run
