"""What the sandbox must hold so that every connector works in it."""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from reconciler.model.connector import Security
from reconciler.probe.result import Protocol
from reconciler.secrets.base import Secret


@dataclass(frozen=True, slots=True)
class Listener:
    """A server that is to be stood in for, and the names of the connectors that use it.

    ``host`` is spelt as in a certificate, in lower case and A-labels.
    """

    protocol: Protocol
    host: str
    port: int
    security: Security
    connectors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Mailbox:
    """The folders of one account. Mail to any of the addresses goes to its INBOX.

    ``folders`` are those that exist from the start, ``sent_folder`` among them.
    """

    name: str
    addresses: tuple[str, ...]
    sent_folder: str
    folders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Credentials:
    """What proves who somebody is: any of the passwords (PLAIN, LOGIN), or the token (XOAUTH2)."""

    passwords: tuple[Secret, ...]
    token: Secret

    def accept_password(self, octets: bytes) -> bool:
        """Whether these octets are one of the passwords, in UTF-8."""
        return any(_equal(octets, password) for password in self.passwords)

    def accept_token(self, octets: bytes) -> bool:
        """Whether these octets are the token that the sandbox issues."""
        return _equal(octets, self.token)


@dataclass(frozen=True, slots=True)
class Reader:
    """A user of an IMAP server, and the mailbox that is opened by signing in."""

    host: str
    username: str
    credentials: Credentials
    mailbox: str


@dataclass(frozen=True, slots=True)
class Sender:
    """An address that may be sent as, and where the server itself files copies, if it does."""

    address: str
    copies_to: str | None


@dataclass(frozen=True, slots=True)
class Submitter:
    """A user of an SMTP server, and the addresses that the user may send as."""

    host: str
    username: str
    credentials: Credentials
    senders: tuple[Sender, ...]


@dataclass(frozen=True, slots=True)
class Accounts:
    """Everything that the sandbox holds.

    ``exports`` are the made-up secrets by the environment variables that references name; ``notes``
    are sentences about what the sandbox cannot do for these connectors.
    """

    listeners: tuple[Listener, ...]
    mailboxes: tuple[Mailbox, ...]
    readers: tuple[Reader, ...]
    submitters: tuple[Submitter, ...]
    exports: tuple[tuple[str, Secret], ...]
    notes: tuple[str, ...]


def _equal(octets: bytes, secret: Secret) -> bool:
    return hmac.compare_digest(octets, secret.reveal().encode())
