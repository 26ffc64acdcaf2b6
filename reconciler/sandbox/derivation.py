"""From connectors to accounts: who reads which mailbox, who may send as whom, and what is exported."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconciler.connection.failure import Protocol
from reconciler.errors import SandboxError
from reconciler.model.connector import Connector, Security
from reconciler.sandbox.accounts import (
    HTTPS,
    AcceptedPasswords,
    Listener,
    Mailbox,
    Reader,
    SandboxAccount,
    SandboxAccounts,
    Sender,
    Spoken,
    Submitter,
)
from reconciler.sandbox.applications import applications_of, endpoint_of
from reconciler.sandbox.references import exports_of, secret_behind
from reconciler.sandbox.services import Service, services_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.sandbox.seed import Seed
    from reconciler.secrets.base import Secret

DEFAULT_SENT_FOLDER = "Sent"


def accounts_of(connectors: tuple[Connector, ...], seed: Seed, *, base: Path) -> SandboxAccounts:
    """Derive the accounts from connectors; drafts and servers that lack something are left out.

    IMAP and SMTP of a connector share a mailbox. So do connectors with the same user at the same
    host, and a connector that only sends shares the one that reads its address. ``base`` is where
    relative paths in ``file:`` references start.

    Raises SandboxError, which names connector and reference, if a secret cannot be made up or read,
    and if one host and port would have to be two servers.
    """
    services = tuple(service for connector in connectors for service in services_of(connector))
    plan = _Mailboxes()
    for service in services:
        if service.protocol is Protocol.IMAP:
            plan.add_reading(service)
    for service in services:
        if service.protocol is Protocol.SMTP:
            plan.add_sending(service)
    credentials = _credentials(services, seed, base)
    return SandboxAccounts(
        listeners=_listeners(services),
        mailboxes=plan.mailboxes(),
        readers=tuple(
            Reader(key.host, key.username, found, plan.read_by[key.host, key.username])
            for key, found in credentials.items()
            if key.protocol is Protocol.IMAP
        ),
        submitters=tuple(
            Submitter(
                key.host, key.username, found, tuple(plan.sent_by[key.host, key.username].values())
            )
            for key, found in credentials.items()
            if key.protocol is Protocol.SMTP
        ),
        applications=applications_of(services, seed, base=base),
        exports=exports_of(connectors, seed),
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

    def add_reading(self, service: Service) -> None:
        draft = self._draft(f"{service.username} at {service.host}", service)
        if "@" in service.username:
            draft.addresses[service.username] = None
        self.read_by[service.user] = draft.name
        self._of_connector[service.connector.name] = draft.name

    def add_sending(self, service: Service) -> None:
        draft = self._draft(self._mailbox_for(service), service)
        copies_to = draft.name if service.connector.files_sent_copies else None
        senders = self.sent_by.setdefault(service.user, {})
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

    def _draft(self, name: str, service: Service) -> _MailboxDraft:
        draft = self._drafts.setdefault(name, _MailboxDraft(name))
        draft.addresses[service.own_address] = None
        if service.connector.sent_folder is not None:
            draft.sent_folders[service.connector.sent_folder] = None
        return draft

    def _mailbox_for(self, service: Service) -> str:
        """The mailbox of a sending half: its connector's, its user's, its address's, or a new one."""
        own = self._of_connector.get(service.connector.name)
        if own is not None:
            return own
        if service.user in self.read_by:
            return self.read_by[service.user]
        reading = (
            draft.name for draft in self._drafts.values() if service.own_address in draft.addresses
        )
        return next(reading, service.own_address)


def _folders(sent_folders: dict[str, None]) -> tuple[str, ...]:
    sent = tuple(name for name in sent_folders if name.upper() != "INBOX")
    return tuple(dict.fromkeys((*(sent or (DEFAULT_SENT_FOLDER,)), "Drafts", "Trash")))


def _credentials(
    services: tuple[Service, ...], seed: Seed, base: Path
) -> dict[SandboxAccount, AcceptedPasswords]:
    passwords: dict[SandboxAccount, list[Secret]] = {}
    for service in services:
        found = passwords.setdefault(service.account, [])
        reference = service.server.password
        if reference is not None:
            secret = secret_behind(reference, service.connector, seed, base=base)
            if secret not in found:
                found.append(secret)
    return {account: AcceptedPasswords(tuple(found)) for account, found in passwords.items()}


@dataclass(frozen=True, slots=True)
class _Demand:
    """A server that a connector needs, and the connector."""

    protocol: Spoken
    host: str
    port: int
    security: Security
    connector: Connector


def _demands(services: tuple[Service, ...]) -> Iterator[_Demand]:
    for service in services:
        yield _Demand(
            service.protocol, service.host, service.port, service.security, service.connector
        )
    for service in services:
        if service.server.oauth2 is not None:
            host, port, _ = endpoint_of(service.server.oauth2)
            yield _Demand(HTTPS, host, port, Security.IMPLICIT, service.connector)


def _listeners(services: tuple[Service, ...]) -> tuple[Listener, ...]:
    users: dict[tuple[Spoken, str, int, Security], dict[str, None]] = {}
    servers: dict[tuple[str, int], _Demand] = {}
    for demand in _demands(services):
        first = servers.setdefault((demand.host, demand.port), demand)
        if (first.protocol, first.security) != (demand.protocol, demand.security):
            raise SandboxError(
                f"{demand.host}:{demand.port} would have to be two servers: "
                f"{first.protocol} with security {first.security} for {first.connector.address}, "
                f"{demand.protocol} with security {demand.security} "
                f"for {demand.connector.address}",
                hint="Correct the port or the security of one of the two connectors.",
            )
        key = (demand.protocol, demand.host, demand.port, demand.security)
        users.setdefault(key, {})[demand.connector.name] = None
    return tuple(Listener(*key, tuple(names)) for key, names in users.items())
