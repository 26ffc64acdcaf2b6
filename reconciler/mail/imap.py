"""An IMAP session in separate steps (RFC 9051, RFC 3501), on imapclient."""

from __future__ import annotations

import imaplib
import re
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from imapclient.imap_utf7 import encode as encode_utf7
from msgspec import Struct

from reconciler.mail.credentials import Dialogue, Password, check_sendable, choose, is_ascii
from reconciler.mail.faults import (
    Declined,
    Disconnected,
    MailFault,
    NoMechanism,
    ProtocolViolation,
    Reply,
    StarttlsMissing,
    TimedOut,
)
from reconciler.mail.folders import NO_NAMESPACES, Namespaces
from reconciler.mail.imap_channel import ImapChannel, ImapClient, not_imap
from reconciler.mail.imap_lines import Folder, folder_of, namespaces_of, quotas_of

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from datetime import datetime

    from reconciler.mail.credentials import Credential
    from reconciler.mail.deadline import Deadline
    from reconciler.mail.imap_lines import Quota
    from reconciler.mail.wire import Wire

_MECHANISMS = ("PLAIN", "CRAM-MD5", "XOAUTH2", "OAUTHBEARER")
_IDENTITY = ('("name" "reconciler")',)
"""Our identification (RFC 2971)."""

_ANSWER = re.compile(
    rb"(?:\*|[A-Z]{4}\d+)[ \t]+(NO|BAD|BYE)\b[ \t]*(?:\[([A-Za-z0-9-]+)[^\]]*\])?[ \t]*(.*)",
    re.DOTALL | re.IGNORECASE,
)


class Survey(Struct, frozen=True):
    """The contents of an account: name spaces, folders, and the number of messages in one, if known."""

    namespaces: Namespaces
    folders: tuple[Folder, ...]
    messages: int | None


class ImapSession:
    """One session, from the greeting on.

    A server's errors are raised as MailFault. The constructor reads the greeting, and asks for the
    capabilities if it does not list them, except if ``start_tls`` comes next, which asks for them
    anyway.
    """

    def __init__(self, wire: Wire, *, upgrade: bool = False) -> None:
        self._wire = wire
        self._introduced = False
        with self._answers("greeting"):
            self._channel = ImapChannel(wire, upgrade=upgrade)
            self._client = ImapClient(self._channel)
        if self._channel.state != "NONAUTH":
            # With STARTTLS this would skip it (RFC 3501 section 11.1), and without it there is no
            # sign-in to test.
            raise ProtocolViolation(
                "The server treated the connection as signed in before the sign-in (PREAUTH)."
            )

    @property
    def capabilities(self) -> frozenset[str]:
        """The server's capabilities, as last listed, in upper case."""
        return frozenset(self._channel.capabilities)

    @property
    def mechanisms(self) -> tuple[str, ...]:
        """The mechanisms that it offers; LOGIN means the command of that name."""
        names = sorted(item[5:] for item in self.capabilities if item.startswith("AUTH="))
        command = () if "LOGINDISABLED" in self.capabilities else ("LOGIN",)
        return tuple(dict.fromkeys((*names, *command)))

    def start_tls(self, context: ssl.SSLContext, server_hostname: str) -> None:
        """Upgrade to TLS, or raise; then ask for the capabilities again (RFC 9051 section 6.2.1)."""
        told = self._channel.told
        if told and "STARTTLS" not in self.capabilities:
            raise StarttlsMissing
        try:
            self._command("STARTTLS")
        except Declined:
            if not told and "STARTTLS" not in self.ask_again():
                raise StarttlsMissing from None
            raise
        self._wire.start_tls(context, server_hostname)
        self._channel.forget()
        with self._answers("CAPABILITY"):
            self._channel.ask_capabilities()

    def sign_in(self, credential: Credential) -> str:
        """Sign in, with exactly one attempt, and return the mechanism.

        Raises Declined if the server rejects it.
        """
        check_sendable(credential)
        mechanism = self._choose(credential)
        self._channel.untagged_responses.pop("CAPABILITY", None)
        if mechanism == "LOGIN" and isinstance(credential, Password):
            with self._answers("LOGIN"):
                # imaplib quotes the password, but not the user name.
                self._client.login(_quoted(credential.username), credential.password.reveal())
        else:
            self._authenticate(mechanism, credential)
        self._channel.take_capabilities()
        return mechanism

    def survey(self, mailbox: str) -> Survey:
        """Name spaces, folders, and the number of messages in ``mailbox``, for one round trip.

        Sends ID first if it is offered. The commands do not depend on each other, so they may be pipelined
        (RFC 9051 section 5.5). Raises for the first that fails; only ``close`` makes sense then.
        """
        listing = (("LIST", '""', '"*"'), ("EXAMINE", _mailbox(mailbox)))
        naming = (("NAMESPACE",),) if "NAMESPACE" in self.capabilities else ()
        with self._answers("NAMESPACE"):
            self._channel.send_ahead(*self._introduction(), *naming, *listing)
        self._introduce()
        return Survey(self.namespaces(), self.folders(), self.examine(mailbox))

    def namespaces(self) -> Namespaces:
        """Prefixes of the user's own name spaces and of those of others; empty if the server lists none."""
        if "NAMESPACE" not in self.capabilities:
            return NO_NAMESPACES
        try:
            self._command("NAMESPACE")
        except Declined:
            return NO_NAMESPACES  # some servers list the command and refuse it
        return next(iter(self._channel.read_all("NAMESPACE", namespaces_of)), NO_NAMESPACES)

    def folders(self) -> tuple[Folder, ...]:
        """Every folder (LIST), except those in unreadable lines."""
        self._command("LIST", '""', '"*"')
        return self._channel.read_all("LIST", folder_of)

    @property
    def unreadable(self) -> int:
        """Unreadable lines of the server, which were skipped."""
        return self._channel.unreadable

    def examine(self, name: str) -> int | None:
        """Open a folder read-only (EXAMINE), and return its number of messages, if the server states it."""
        if introduction := self._introduction():
            with self._answers("ID"):
                self._channel.send_ahead(*introduction, ("EXAMINE", _mailbox(name)))
            self._introduce()
        with self._answers("EXAMINE"):
            return self._channel.examine(_mailbox(name))

    def append(self, folder: str, data: bytes, at: datetime) -> None:
        """File a mail as read, with its date (APPEND, RFC 9051 section 6.3.12)."""
        with self._answers("APPEND"):
            self._client.append(folder, data, flags=(b"\\Seen",), msg_time=at)

    def find(self, folder: str, *headers: tuple[str, str]) -> tuple[int, ...]:
        """The UIDs of the mails in ``folder`` that have one of these header fields.

        Some servers search only some fields. Raises Declined if nothing was found and a search was rejected.
        """
        self.examine(folder)
        found: set[int] = set()
        declined: Declined | None = None
        for name, value in headers:
            try:
                with self._answers("SEARCH"):
                    found.update(int(uid) for uid in self._client.search(["HEADER", name, value]))
            except Declined as fault:
                declined = fault
        if declined is not None and not found:
            raise declined
        return tuple(sorted(found))

    def remove(self, folder: str, uids: tuple[int, ...]) -> bool:
        """Remove mails from ``folder``; False if they could only be marked as deleted.

        That is so without UIDPLUS (RFC 4315): EXPUNGE alone would also remove mails that others marked.
        """
        if not uids:
            return True
        with self._answers("SELECT"):
            self._client.select_folder(folder)
        with self._answers("STORE"):
            self._client.delete_messages(list(uids), silent=True)
        if "UIDPLUS" not in self.capabilities and "UIDPLUS" not in self.ask_again():
            return False
        with self._answers("EXPUNGE"):
            self._client._cached_capabilities = (b"UIDPLUS",)  # noqa: SLF001 - else it asks again
            self._client.uid_expunge(list(uids))
        return True

    @property
    def deadline(self) -> Deadline:
        """The deadline for the answer to the next command."""
        return self._wire.deadline

    @deadline.setter
    def deadline(self, deadline: Deadline) -> None:
        self._wire.deadline = deadline

    def ask_again(self) -> frozenset[str]:
        """Ask for the capabilities again: some are only listed after the sign-in."""
        with self._answers("CAPABILITY"):
            self._channel.ask_capabilities()
        return self.capabilities

    def quotas(self, mailbox: str) -> tuple[Quota, ...]:
        """The quotas of the mailbox (RFC 2087, RFC 9208); empty if the server supports none."""
        if "QUOTA" not in self.capabilities:
            return ()
        self._command("GETQUOTAROOT", _mailbox(mailbox))
        found = self._channel.read_all("QUOTA", quotas_of)
        return tuple(quota for quotas in found for quota in quotas)

    def close(self) -> None:
        """Send LOGOUT, but do not wait for an answer: it would not matter."""
        try:
            self._wire.sendall(b"Z0 LOGOUT\r\n")
        except MailFault:
            pass  # the connection is gone, or there is no time left
        finally:
            self._wire.close()

    def _introduction(self) -> tuple[tuple[str, ...], ...]:
        """Send ID once in a session if it is offered: NetEase opens no mailbox before it."""
        if self._introduced or "ID" not in self.capabilities:
            return ()
        return (("ID", *_IDENTITY),)

    def _introduce(self) -> None:
        """Wait for the answer to a pending ID. The server may reject it: nobody needs it."""
        if not self._introduction():
            return
        self._introduced = True
        with suppress(Declined):  # not even a BAD says anything about the mailbox
            self._command("ID", *_IDENTITY)

    def _choose(self, credential: Credential) -> str:
        offered = self.mechanisms
        encrypted = self._wire.encrypted
        plain_at_once = {"SASL-IR", "AUTH=PLAIN"} <= self.capabilities
        simple = isinstance(credential, Password) and is_ascii(credential)
        unseen = not encrypted and "AUTH=CRAM-MD5" in self.capabilities
        if not unseen and simple and not plain_at_once and "LOGINDISABLED" not in self.capabilities:
            # The command LOGIN saves a round trip if initial responses are not supported.
            return "LOGIN"
        try:
            return choose(credential, offered, encrypted=encrypted, known=_MECHANISMS)
        except NoMechanism as fault:
            raise NoMechanism(str(fault), offered) from None

    def _authenticate(self, mechanism: str, credential: Credential) -> None:
        dialogue = Dialogue(mechanism, credential)
        first = dialogue.start() if "SASL-IR" in self.capabilities else None  # RFC 4959
        arguments = (mechanism,) if first is None else (mechanism, first or "=")
        try:
            self._command("AUTHENTICATE", *arguments, dialogue=dialogue)
        except Declined as fault:
            raise Declined(fault.command, fault.reply, dialogue.challenge) from None
        self._channel.state = "AUTH"

    def _command(self, name: str, *arguments: str, dialogue: Dialogue | None = None) -> None:
        with self._answers(name):
            condition = self._channel.command(name, *arguments, dialogue=dialogue)
            if condition != "OK":
                raise self._fault(name)

    @contextmanager
    def _answers(self, command: str) -> Iterator[None]:
        """Convert exceptions to faults, without their causes: frames may contain a secret."""
        try:
            yield
        except (Disconnected, TimedOut) as fault:
            reply = _reply(self._wire.last_line)
            if reply is None or reply.code != "BYE":
                raise
            raise Disconnected(silent=fault.silent, reply=reply) from None
        except MailFault:
            raise
        except imaplib.IMAP4.error:
            raise self._fault(command) from None
        except (ValueError, LookupError, TypeError, AttributeError, AssertionError, RecursionError):
            # The libraries' parsers raise all of these on invalid input.
            raise self._violation() from None

    def _fault(self, command: str) -> MailFault:
        reply = _reply(self._wire.last_line)
        if reply is None:
            return self._violation()
        if reply.code == "BYE":
            return Disconnected(silent=False, reply=reply)
        return Declined(command, reply)

    def _violation(self) -> ProtocolViolation:
        return not_imap(self._wire.last_line)


def _reply(line: bytes) -> Reply | None:
    match = _ANSWER.match(line.strip())
    if match is None:
        return None
    condition, code, text = (
        part.decode("utf-8", "replace") if part else "" for part in match.groups()
    )
    shown = f"[{code}] {text}" if code else text
    return Reply(condition.upper(), code.upper(), shown)


def _mailbox(name: str) -> str:
    """A mailbox as commands need it: in modified UTF-7, quoted."""
    return _quoted(encode_utf7(name).decode("ascii"))


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
