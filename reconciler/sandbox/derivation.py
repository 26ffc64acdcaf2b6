"""From connectors to accounts: who reads which mailbox, who may send as whom, and what is exported."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconciler.errors import SandboxError
from reconciler.mail.hosts import ascii_host
from reconciler.model.connector import Connector, MailServer, Security
from reconciler.probe.result import Protocol
from reconciler.sandbox.accounts import (
    Accounts,
    Credentials,
    Listener,
    Mailbox,
    Reader,
    Sender,
    Submitter,
)
from reconciler.sandbox.names import address_key, username_key
from reconciler.sandbox.references import exports_of, secret_behind

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.sandbox.seed import Seed
    from reconciler.secrets.base import Secret

DEFAULT_SENT_FOLDER = "Sent"


def accounts_of(connectors: tuple[Connector, ...], seed: Seed, *, base: Path) -> Accounts:
    """Derive the accounts from connectors; drafts and servers that lack something are left out.

    IMAP and SMTP of a connector share a mailbox. So do connectors with the same user at the same
    host, and a connector that only sends shares the one that reads its address. ``base`` is where
    relative paths in ``file:`` references start.

    Raises SandboxError, which names connector and reference, if a secret cannot be made up or read,
    and if one host and port would have to be two servers.
    """
    services = tuple(service for connector in connectors for service in _services(connector))
    plan = _Mailboxes()
    for service in services:
        if service.protocol is Protocol.IMAP:
            plan.add_reading(service)
    for service in services:
        if service.protocol is Protocol.SMTP:
            plan.add_sending(service)
    credentials = _credentials(services, seed, base)
    return Accounts(
        listeners=_listeners(services),
        mailboxes=plan.mailboxes(),
        readers=tuple(
            Reader(host, username, found, plan.read_by[host, username])
            for (protocol, host, username), found in credentials.items()
            if protocol is Protocol.IMAP
        ),
        submitters=tuple(
            Submitter(host, username, found, tuple(plan.sent_by[host, username].values()))
            for (protocol, host, username), found in credentials.items()
            if protocol is Protocol.SMTP
        ),
        exports=exports_of(connectors, seed),
        notes=_notes(services),
    )


@dataclass(frozen=True, slots=True)
class _Service:
    """One half of a connector with nothing missing."""

    connector: Connector
    protocol: Protocol
    server: MailServer
    host: str
    port: int
    security: Security
    username: str

    @property
    def account(self) -> tuple[str, str]:
        return self.host, self.username

    @property
    def own_address(self) -> str:
        """The address that this half is about, put together from user and host at worst."""
        if self.connector.email_address is not None:
            return address_key(self.connector.email_address)
        return self.username if "@" in self.username else f"{self.username}@{self.host}"


def _services(connector: Connector) -> tuple[_Service, ...]:
    if connector.draft:
        return ()
    halves = [(Protocol.IMAP, connector.imap)]
    if connector.enable_mail_send_from:
        halves.append((Protocol.SMTP, connector.smtp))
    return tuple(
        _Service(
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


@dataclass(slots=True)
class _MailboxDraft:
    name: str
    addresses: dict[str, None] = field(default_factory=dict)
    sent_folders: dict[str, None] = field(default_factory=dict)


class _Mailboxes:
    """Finds out who shares a mailbox with whom."""

    def __init__(self) -> None:
        self._drafts: dict[str, _MailboxDraft] = {}
        self.read_by: dict[tuple[str, str], str] = {}
        self.sent_by: dict[tuple[str, str], dict[str, Sender]] = {}
        self._of_connector: dict[str, str] = {}

    def add_reading(self, service: _Service) -> None:
        draft = self._draft(f"{service.username} at {service.host}", service)
        if "@" in service.username:
            draft.addresses[service.username] = None
        self.read_by[service.account] = draft.name
        self._of_connector[service.connector.name] = draft.name

    def add_sending(self, service: _Service) -> None:
        draft = self._draft(self._mailbox_for(service), service)
        copies_to = draft.name if service.connector.files_sent_copies else None
        senders = self.sent_by.setdefault(service.account, {})
        own = [service.own_address, *([service.username] if "@" in service.username else [])]
        for address in own:
            known = senders.get(address)
            if known is None or known.copies_to is None:
                senders[address] = Sender(address, copies_to)

    def mailboxes(self) -> tuple[Mailbox, ...]:
        return tuple(
            Mailbox(draft.name, tuple(draft.addresses), sent, _folders(draft.sent_folders))
            for draft in self._drafts.values()
            for sent in [next(iter(draft.sent_folders), DEFAULT_SENT_FOLDER)]
        )

    def _draft(self, name: str, service: _Service) -> _MailboxDraft:
        draft = self._drafts.setdefault(name, _MailboxDraft(name))
        draft.addresses[service.own_address] = None
        if service.connector.sent_folder is not None:
            draft.sent_folders[service.connector.sent_folder] = None
        return draft

    def _mailbox_for(self, service: _Service) -> str:
        """The mailbox of a sending half: its connector's, its user's, its address's, or a new one."""
        own = self._of_connector.get(service.connector.name)
        if own is not None:
            return own
        if service.account in self.read_by:
            return self.read_by[service.account]
        reading = (
            draft.name for draft in self._drafts.values() if service.own_address in draft.addresses
        )
        return next(reading, service.own_address)


def _folders(sent_folders: dict[str, None]) -> tuple[str, ...]:
    sent = tuple(name for name in sent_folders if name.upper() != "INBOX")
    return tuple(dict.fromkeys((*(sent or (DEFAULT_SENT_FOLDER,)), "Drafts", "Trash")))


def _credentials(
    services: tuple[_Service, ...], seed: Seed, base: Path
) -> dict[tuple[Protocol, str, str], Credentials]:
    passwords: dict[tuple[Protocol, str, str], list[Secret]] = {}
    for service in services:
        found = passwords.setdefault((service.protocol, *service.account), [])
        reference = service.server.password
        if reference is not None:
            secret = secret_behind(reference, service.connector, seed, base=base)
            if secret not in found:
                found.append(secret)
    return {key: Credentials(tuple(found), seed.token(key[2])) for key, found in passwords.items()}


def _listeners(services: tuple[_Service, ...]) -> tuple[Listener, ...]:
    users: dict[tuple[Protocol, str, int, Security], dict[str, None]] = {}
    servers: dict[tuple[str, int], _Service] = {}
    for service in services:
        first = servers.setdefault((service.host, service.port), service)
        if (first.protocol, first.security) != (service.protocol, service.security):
            raise SandboxError(
                f"{service.host}:{service.port} would have to be two servers: "
                f"{first.protocol} with security {first.security} for {first.connector.address}, "
                f"{service.protocol} with security {service.security} "
                f"for {service.connector.address}",
                hint="Correct the port or the security of one of the two connectors.",
            )
        key = (service.protocol, service.host, service.port, service.security)
        users.setdefault(key, {})[service.connector.name] = None
    return tuple(Listener(*key, tuple(names)) for key, names in users.items())


def _notes(services: tuple[_Service, ...]) -> tuple[str, ...]:
    names = dict.fromkeys(
        str(service.connector.address) for service in services if service.server.oauth2 is not None
    )
    return tuple(
        f"{name} signs in with OAuth 2.0. Its mail servers are there and accept the sandbox's own "
        "tokens, but no token endpoint is: a live test of it asks the real one, and fails."
        for name in names
    )
