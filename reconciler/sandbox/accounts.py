"""The accounts that the sandbox needs so that every connector works in it."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Final, Literal

from msgspec import Struct

from reconciler.model.domain import address_key
from reconciler.model.protocol import Protocol

if TYPE_CHECKING:
    from reconciler.connection.account import Account
    from reconciler.model.connector import Grant, Security
    from reconciler.secrets.base import Secret

HTTPS: Final = "https"
"""The protocol of token endpoints."""

Spoken = Protocol | Literal["https"]
"""The protocols of the replaced servers."""


class Listener(Struct, frozen=True):
    """A server to replace, and the names of the connectors that use it.

    ``host`` is spelt as in a certificate, in lower case and A-labels.
    """

    protocol: Spoken
    host: str
    port: int
    security: Security
    connectors: tuple[str, ...]


class SandboxAccount(Struct, frozen=True):
    """The identity of an account: a user at the IMAP or the SMTP server of a host.

    The spelling is canonical, so that connectors that spell host or user differently share the account.
    ``username`` is empty for those that send without a sign-in.
    """

    protocol: Protocol
    host: str
    username: str

    @classmethod
    def of(cls, account: Account) -> SandboxAccount:
        """Return the sandbox's account for an account of a connector."""
        return cls(account.protocol, account.host_key, username_key(account.username))

    @property
    def user(self) -> tuple[str, str]:
        """Host and user name, which have one mailbox in common."""
        return self.host, self.username

    @property
    def addresses(self) -> tuple[str, ...]:
        """The user name where it is an address."""
        return (self.username,) if "@" in self.username else ()


class Mailbox(Struct, frozen=True):
    """The folders of one account. Mail to any of the addresses goes to its INBOX.

    ``folders`` are those that exist from the start, ``sent_folder`` among them.
    """

    name: str
    addresses: tuple[str, ...]
    sent_folder: str
    folders: tuple[str, ...]


class AcceptedPasswords(Struct, frozen=True):
    """The passwords that are accepted; empty if only a token is."""

    passwords: tuple[Secret, ...]

    def accept_password(self, octets: bytes) -> bool:
        """Whether these octets are one of the passwords in UTF-8."""
        return any(_equal(octets, password) for password in self.passwords)


class Reader(Struct, frozen=True):
    """A user of an IMAP server, and the user's mailbox."""

    host: str
    username: str
    credentials: AcceptedPasswords
    mailbox: str

    @property
    def account(self) -> SandboxAccount:
        """The account that a token must be valid for."""
        return SandboxAccount(Protocol.IMAP, self.host, self.username)


class Sender(Struct, frozen=True):
    """An address to send as, and the folder where the server files copies, if it does."""

    address: str
    copies_to: str | None


class Submitter(Struct, frozen=True):
    """A user of an SMTP server, and the addresses that the user may send as."""

    host: str
    username: str
    credentials: AcceptedPasswords
    senders: tuple[Sender, ...]

    @property
    def account(self) -> SandboxAccount:
        """The account that a token must be valid for."""
        return SandboxAccount(Protocol.SMTP, self.host, self.username)


class RegisteredClient(Struct, frozen=True):
    """An application at a token endpoint, and the accounts that its tokens open.

    ``endpoint`` is the address as connectors write it; ``host``, ``port`` and ``path`` are where that
    leads. Only the secrets that the grant uses are set. ``subject`` is the mailbox that a service
    account acts for, as a key, and empty with every other grant. With ``rotates`` each answer replaces the
    refresh token.
    """

    endpoint: str
    host: str
    port: int
    path: str
    grant: Grant
    client_id: str
    scopes: tuple[str, ...]
    client_secret: Secret | None
    certificate: Secret | None
    refresh_token: Secret | None
    service_account_key: Secret | None
    subject: str
    accounts: tuple[SandboxAccount, ...]
    rotates: bool = False


class SandboxAccounts(Struct, frozen=True):
    """Everything in the sandbox.

    ``exports`` are the made-up secrets by the environment variables that references name.
    """

    listeners: tuple[Listener, ...]
    mailboxes: tuple[Mailbox, ...]
    readers: tuple[Reader, ...]
    submitters: tuple[Submitter, ...]
    applications: tuple[RegisteredClient, ...]
    exports: tuple[tuple[str, Secret], ...]


def _equal(octets: bytes, secret: Secret) -> bool:
    return hmac.compare_digest(octets, secret.reveal().encode())


def username_key(username: str) -> str:
    """Fold the case of a user name, which hardly any mail server distinguishes."""
    return address_key(username)


def own_address(account: Account) -> str:
    """The address of an account; where none is set, the user name, with the host if it has no domain."""
    if account.connector.email_address is not None:
        return address_key(account.connector.email_address)
    username = username_key(account.username)
    return username if "@" in username else f"{username}@{account.host_key}"
