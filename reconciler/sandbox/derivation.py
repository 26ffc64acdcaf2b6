"""From connectors to accounts: who reads which mailbox, who may send as whom, and what is exported."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.connection.account import Account, complete_accounts
from reconciler.errors import SandboxError
from reconciler.model.connector import Connector, Security
from reconciler.model.domain import address_key
from reconciler.model.protocol import Protocol
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
    own_address,
)
from reconciler.sandbox.applications import applications_of, endpoint_of
from reconciler.sandbox.references import exports_of, secret_behind
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.model.application import Application
    from reconciler.sandbox.seed import Seed
    from reconciler.secrets.base import Secret

DEFAULT_SENT_FOLDER = "Sent"


def accounts_of(
    connectors: tuple[Connector, ...],
    seed: Seed,
    *,
    base: Path,
    applications: tuple[Application, ...] = (),
) -> SandboxAccounts:
    """Derive the accounts from connectors; drafts and servers that lack something are left out.

    IMAP and SMTP of a connector share a mailbox. So do connectors with the same user at the same
    host, and a connector that only sends shares the one that reads its address. ``base`` is where
    relative paths in ``file:`` references start. The passwords of ``applications`` are exported too.

    Raises SandboxError, which names connector and reference, if a secret cannot be made up or read,
    and if one host and port would have to be two servers.
    """
    accounts = tuple(
        _with_name(account, seed, base)
        for connector in connectors
        if not connector.draft
        for account in complete_accounts(connector)
    )
    plan = _Mailboxes()
    for account in accounts:
        if account.protocol is Protocol.IMAP:
            plan.add_reading(account)
    for account in accounts:
        if account.protocol is Protocol.SMTP:
            plan.add_sending(account)
    credentials = _credentials(accounts, seed, base)
    return SandboxAccounts(
        listeners=_listeners(accounts),
        mailboxes=plan.mailboxes(),
        readers=tuple(
            Reader(key.host, key.username, found, plan.read_by[key.user])
            for key, found in credentials.items()
            if key.protocol is Protocol.IMAP
        ),
        submitters=tuple(
            Submitter(key.host, key.username, found, tuple(plan.sent_by[key.user].values()))
            for key, found in credentials.items()
            if key.protocol is Protocol.SMTP
        ),
        applications=applications_of(accounts, seed, base=base),
        exports=exports_of(connectors, seed, applications),
    )


def _with_name(account: Account, seed: Seed, base: Path) -> Account:
    """Return the account with its user name resolved, if a reference stands for it."""
    reference = account.settings.username_reference
    if reference is None:
        return account
    secret = secret_behind(reference, account.connector, seed, base=base)
    return replace(account, username=secret.reveal())


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

    def add_reading(self, account: Account) -> None:
        key = SandboxAccount.of(account)
        draft = self._draft(f"{key.username} at {key.host}", account)
        draft.addresses.update(dict.fromkeys(key.addresses))
        self.read_by[key.user] = draft.name
        self._of_connector[account.connector.name] = draft.name

    def add_sending(self, account: Account) -> None:
        key = SandboxAccount.of(account)
        draft = self._draft(self._mailbox_for(account), account)
        copies_to = draft.name if account.connector.files_sent_copies else None
        senders = self.sent_by.setdefault(key.user, {})
        further = tuple(address_key(item) for item in account.connector.also_sends_as)
        for address in (own_address(account), *key.addresses, *further):
            known = senders.get(address)
            if known is None or known.copies_to is None:
                senders[address] = Sender(address, copies_to)

    def mailboxes(self) -> tuple[Mailbox, ...]:
        return tuple(
            Mailbox(draft.name, tuple(draft.addresses), sent, _folders(draft.sent_folders))
            for draft in self._drafts.values()
            for sent in [next(iter(draft.sent_folders), DEFAULT_SENT_FOLDER)]
        )

    def _draft(self, name: str, account: Account) -> _MailboxDraft:
        draft = self._drafts.setdefault(name, _MailboxDraft(name))
        draft.addresses[own_address(account)] = None
        draft.addresses.update(
            dict.fromkeys(address_key(item) for item in account.connector.also_sends_as)
        )
        if account.connector.sent_folder is not None:
            draft.sent_folders[account.connector.sent_folder] = None
        return draft

    def _mailbox_for(self, account: Account) -> str:
        """The mailbox of an SMTP account: its connector's, its user's, its address's, or a new one."""
        own = self._of_connector.get(account.connector.name)
        if own is not None:
            return own
        user = SandboxAccount.of(account).user
        if user in self.read_by:
            return self.read_by[user]
        address = own_address(account)
        reading = (draft.name for draft in self._drafts.values() if address in draft.addresses)
        return next(reading, address)


def _folders(sent_folders: dict[str, None]) -> tuple[str, ...]:
    sent = tuple(name for name in sent_folders if name.upper() != "INBOX")
    return tuple(dict.fromkeys((*(sent or (DEFAULT_SENT_FOLDER,)), "Drafts", "Trash")))


def _credentials(
    accounts: tuple[Account, ...], seed: Seed, base: Path
) -> dict[SandboxAccount, AcceptedPasswords]:
    passwords: dict[SandboxAccount, list[Secret]] = {}
    for account in accounts:
        found = passwords.setdefault(SandboxAccount.of(account), [])
        reference = account.settings.password
        if reference is not None:
            secret = secret_behind(reference, account.connector, seed, base=base)
            if secret not in found:
                found.append(secret)
    return {key: AcceptedPasswords(tuple(found)) for key, found in passwords.items()}


class _Demand(Struct, frozen=True):
    """A server that a connector needs, and the connector."""

    protocol: Spoken
    host: str
    port: int
    security: Security
    connector: Connector


def _demands(accounts: tuple[Account, ...]) -> Iterator[_Demand]:
    for account in accounts:
        yield _Demand(
            account.protocol,
            account.host_key,
            account.port,
            account.security,
            account.connector,
        )
    for account in accounts:
        if account.settings.oauth2 is not None:
            host, port, _ = endpoint_of(account.settings.oauth2)
            yield _Demand(HTTPS, host, port, Security.IMPLICIT, account.connector)


def _listeners(accounts: tuple[Account, ...]) -> tuple[Listener, ...]:
    users: dict[tuple[Spoken, str, int, Security], dict[str, None]] = {}
    servers: dict[tuple[str, int], _Demand] = {}
    for demand in _demands(accounts):
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
