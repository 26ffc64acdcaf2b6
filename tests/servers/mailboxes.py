"""The mails of an account as a mail client reads them, and what a mail contains."""

from __future__ import annotations

from contextlib import contextmanager
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.utils import getaddresses
from typing import TYPE_CHECKING, Any, Final

from imapclient import IMAPClient

from reconciler.sending.outcome import CopyStatus
from tests.servers.accounts import INFO, SENT, SUPPORT
from tests.servers.loopback import LOOPBACK, wait_until

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from email.message import EmailMessage

    from reconciler.sending.outcome import Sent
    from tests.servers.accounts import Account
    from tests.servers.dovecot import Dovecot

TRACES: Final = (b"return-path", b"delivered-to", b"received", b"x-original-to")
"""What servers add to the front of a mail on its way."""


class Mailbox:
    """One account, as a mail client reads it."""

    def __init__(self, client: IMAPClient) -> None:
        self._client = client

    def all(self, folder: str, message_id: str) -> list[bytes]:
        """Every mail of that Message-ID in a folder."""
        self._client.select_folder(folder)
        found = self._client.search(["HEADER", "Message-ID", message_id])
        fetched: dict[int, dict[bytes, Any]] = self._client.fetch(found, ["RFC822", "FLAGS"])
        if folder != "INBOX":
            assert all(b"\\Seen" in item[b"FLAGS"] for item in fetched.values())
        return [item[b"RFC822"] for item in fetched.values()]

    def one(self, folder: str, message_id: str) -> bytes:
        """The one mail of that Message-ID, as soon as it is delivered."""
        wait_until(lambda: bool(self.all(folder, message_id)), f"{message_id} is in {folder}")
        (only,) = self.all(folder, message_id)
        return only


class Mailboxes:
    """All of them."""

    def __init__(self, dovecot: Dovecot, context: ssl.SSLContext) -> None:
        self._dovecot, self._context = dovecot, context

    @contextmanager
    def of(self, account: Account) -> Iterator[Mailbox]:
        client = IMAPClient(LOOPBACK, self._dovecot.tls_port, ssl_context=self._context, timeout=20)
        try:
            client.plain_login(account.username, account.password)
            yield Mailbox(client)
        finally:
            client.shutdown()

    def one(self, account: Account, folder: str, message_id: str) -> bytes:
        with self.of(account) as mailbox:
            return mailbox.one(folder, message_id)

    def count(self, account: Account, folder: str, message_id: str) -> int:
        with self.of(account) as mailbox:
            return len(mailbox.all(folder, message_id))


def on_its_way(mail: bytes) -> bytes:
    """A mail without what servers added to its front."""
    head, blank, body = mail.partition(b"\r\n\r\n")
    fields = head.replace(b"\r\n ", b"\0 ").replace(b"\r\n\t", b"\0\t").split(b"\r\n")
    kept = [field for field in fields if field.partition(b":")[0].lower() not in TRACES]
    return b"\r\n".join(kept).replace(b"\0", b"\r\n") + blank + body


def without(field: bytes, mail: bytes) -> bytes:
    head, blank, body = mail.partition(b"\r\n\r\n")
    fields = head.replace(b"\r\n ", b"\0 ").split(b"\r\n")
    kept = [text for text in fields if text.partition(b":")[0].lower() != field]
    return b"\r\n".join(kept).replace(b"\0", b"\r\n") + blank + body


def parsed(mail: bytes) -> EmailMessage:
    return message_from_bytes(mail, policy=policy.default)


def decoded(mail: bytes, field: str) -> str:
    raw = message_from_bytes(mail, policy=policy.compat32)[field]
    return str(make_header(decode_header(raw.replace("\r\n ", " "))))


def people(mail: bytes, field: str) -> list[tuple[str, str]]:
    raw = message_from_bytes(mail, policy=policy.compat32)[field]
    return [(str(make_header(decode_header(name))), spec) for name, spec in getaddresses([raw])]


def text_of(mail: bytes, kind: str = "plain") -> str:
    body = parsed(mail).get_body((kind,))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def compare(mailboxes: Mailboxes, sent: Sent, reader: Account, folder: str = SENT) -> bytes:
    """Fetch a mail of support@ from an inbox and from Sent; both are the same, Bcc aside."""
    inbox = on_its_way(mailboxes.one(reader, "INBOX", sent.message_id))
    assert sent.copy.status is CopyStatus.APPENDED, sent.copy
    assert sent.copy.folder == folder
    carrier = SUPPORT if folder == SENT else INFO
    copy = mailboxes.one(carrier, folder, sent.message_id)
    assert without(b"bcc", copy) == inbox
    assert len(inbox) == sent.size
    assert inbox.isascii()
    return inbox
