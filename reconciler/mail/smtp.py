"""A submission session in separate steps (RFC 6409, RFC 4954), on smtplib."""

from __future__ import annotations

import re
import smtplib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from reconciler.mail.credentials import Dialogue, check_sendable, choose
from reconciler.mail.deadline import Deadline
from reconciler.mail.faults import (
    Cancelled,
    Declined,
    Disconnected,
    MailFault,
    NoMechanism,
    ProtocolViolation,
    Reply,
    StarttlsMissing,
    Uncertain,
    Unsendable,
)
from reconciler.mail.resolve import ascii_host

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

    from reconciler.mail.credentials import Credential
    from reconciler.mail.wire import Wire

_MECHANISMS = ("PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2", "OAUTHBEARER")
_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})\b")
_LONGEST_COMMAND = 510
"""Octets of a command without its end (RFC 5321 section 4.5.3.1.4).

A longer initial response is sent on a separate line (RFC 4954 section 4).
"""
_LONGEST_RESPONSE = 12288
"""Octets of such a line (RFC 4954 section 4)."""

_GROUP = 100
"""The maximum number of pipelined commands, so that neither side waits for the other to read."""

_CONTENT_SECONDS, _SLOWEST = 780.0, 20_000.0
"""Seconds for the text of a mail and the answer to it, and the octets per second for which more is allowed.

RFC 5321 section 4.5.3.2: three minutes for a part of the text, ten for the answer.
"""

_LINE_START = re.compile(rb"^\.", re.MULTILINE)
_LAST_WORD = re.compile(rb"([45]\d\d)[ -](.*)")
"""Replies of a server that hangs up before it has the whole text."""


class Envelope(Struct, frozen=True):
    """The sender and recipients of a mail, and the extensions that it needs.

    ``eight_bit`` is set for a non-ASCII body (RFC 6152), ``utf8`` for non-ASCII header fields and
    addresses (RFC 6531).
    """

    sender: str
    recipients: tuple[str, ...]
    eight_bit: bool = False
    utf8: bool = False


class Submission(Struct, frozen=True):
    """The result of a mail: its accepted recipients, the refused ones and why, and the final reply.

    ``reply`` is None if no text was sent: all recipients were refused, or some of a mail for all or none.
    """

    accepted: tuple[str, ...]
    refused: tuple[tuple[str, Reply], ...]
    reply: Reply | None


class SmtpSession:
    """One session, from the greeting on. A server's errors are raised as MailFault.

    The constructor reads the greeting. ``ehlo_name`` is the name that EHLO gives.
    """

    def __init__(self, wire: Wire, ehlo_name: str | None = None) -> None:
        self._wire = wire
        self._channel = _SmtpChannel(wire, ehlo_name)
        self._begun = False
        self._expect("greeting", self._read())

    @property
    def capabilities(self) -> frozenset[str]:
        """The server's extensions, as last listed, in upper case."""
        return frozenset(name.upper() for name in self._channel.esmtp_features)

    @property
    def mechanisms(self) -> tuple[str, ...]:
        """The mechanisms that it offers."""
        return tuple(dict.fromkeys(self._channel.esmtp_features.get("auth", "").upper().split()))

    @property
    def size_limit(self) -> int | None:
        """The maximum size of a message in octets (RFC 1870), if the server announces it."""
        text = self._channel.esmtp_features.get("size", "").strip()
        return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None  # noqa: PLR2004 - no server means more

    def hello(self) -> None:
        """Ask for the extensions (EHLO), which is required since AUTH is one of them."""
        with self._answers():
            code, message = self._channel.ehlo()
        self._expect("EHLO", _reply(code, message))

    def start_tls(self, context: ssl.SSLContext, server_hostname: str) -> None:
        """Upgrade to TLS, or raise, and discard what was received before (RFC 3207 section 4.2)."""
        if "STARTTLS" not in self.capabilities:
            raise StarttlsMissing
        self._expect("STARTTLS", self._ask("STARTTLS"))
        self._wire.start_tls(context, server_hostname)
        self._channel.forget()

    def sign_in(self, credential: Credential) -> str:
        """Sign in, with exactly one attempt, and return the mechanism.

        Raises Declined if the server rejects it.

        ``smtplib.auth`` is not used: it sends only ASCII, treats 503 as success and loses the reason
        for a rejected token.
        """
        check_sendable(credential)
        if "AUTH" not in self.capabilities:
            raise NoMechanism("The server offers no sign-in mechanism.")
        mechanism = choose(
            credential, self.mechanisms, encrypted=self._wire.encrypted, known=_MECHANISMS
        )
        dialogue = Dialogue(mechanism, credential)
        first = dialogue.start()
        if first is not None and len(first) > _LONGEST_RESPONSE:
            raise Unsendable("The secret is longer than the protocol allows.")
        command = f"AUTH {mechanism}"
        if first is None:
            reply = self._ask(command)
        elif len(f"{command} {first}") <= _LONGEST_COMMAND:
            reply = self._ask(f"{command} {first}")
        else:
            # Tokens are long, and Postfix silently truncates such a command.
            reply = self._ask(command)
            reply = self._ask(first) if reply.code == "334" else reply
        while reply.code == "334":
            reply = self._answer(dialogue, reply)
        if reply.code != "235":
            self._expect("AUTH", reply, only="235", challenge=dialogue.challenge)
        return mechanism

    def envelope(self, sender: str, recipient: str) -> None:
        """Start a mail and cancel it: MAIL FROM, RCPT TO, RSET.

        They are pipelined if the server supports it (RFC 2920), to save round trips. Otherwise RSET is
        sent with the next command: if there is none, QUIT cancels the mail as well (RFC 5321 section
        4.1.1.10). Raises Declined with ``command`` "MAIL" or "RCPT".
        """
        options = ""
        mailbox, path = self._path(sender), self._path(recipient)
        if not (mailbox.isascii() and path.isascii()):
            if "SMTPUTF8" not in self.capabilities:
                raise Unsendable("The server accepts no non-ASCII address (SMTPUTF8).")
            options = " SMTPUTF8"
        commands = (f"MAIL FROM:<{mailbox}>{options}", f"RCPT TO:<{path}>", "RSET")
        if "PIPELINING" in self.capabilities:
            self._wire.sendall("".join(f"{line}\r\n" for line in commands).encode())
            replies = [self._read() for _ in commands]
            for name, reply in zip(("MAIL", "RCPT", "RSET"), replies, strict=True):
                self._expect(name, reply)
        else:
            try:
                for line in commands[:2]:
                    self._expect(line[:4], self._ask(line))
            finally:
                self._begun = True

    def submit(
        self,
        envelope: Envelope,
        data: bytes,
        deadline: Deadline | None = None,
        before_text: Callable[[], None] = lambda: None,
        *,
        all_or_none: bool = False,
    ) -> Submission:
        """Hand over one mail; ``data`` has lines that end in CRLF, the last one too.

        Raises Declined if MAIL or DATA is rejected, Uncertain if the whole text was sent but no valid
        answer arrives, and other faults if nothing can have been delivered. After any of these only
        ``close`` makes sense; the caller sets a new deadline first. ``deadline`` covers the text and
        the answer to it, which otherwise get the limits of RFC 5321 section 4.5.3.2. ``before_text`` is
        called before the text is sent: until then, nothing can have been delivered. With
        ``all_or_none``, a mail that is refused for some of its recipients is not handed over.
        """
        self._wire.renew_limits()
        options = f" SIZE={len(data)}" if "SIZE" in self.capabilities else ""
        if envelope.eight_bit or envelope.utf8:
            options += " BODY=8BITMIME"
        if envelope.utf8:
            options += " SMTPUTF8"
        mail = f"MAIL FROM:<{self._path(envelope.sender)}>{options}"
        replies = self._exchange(
            (mail, *(f"RCPT TO:<{self._path(address)}>" for address in envelope.recipients))
        )
        self._expect("MAIL", replies[0])
        accepted, refused = [], []
        for address, reply in zip(envelope.recipients, replies[1:], strict=True):
            if reply.code[:1] in ("4", "5"):
                refused.append((address, reply))
            else:
                self._expect("RCPT", reply)
                accepted.append(address)
        if not accepted or (refused and all_or_none):
            self._begun = True
            return Submission(tuple(accepted), tuple(refused), None)
        before_text()
        self._expect("DATA", self._ask("DATA"), only="354")
        final = self._content(data, deadline)
        return Submission(tuple(accepted), tuple(refused), final)

    def _exchange(self, commands: tuple[str, ...]) -> list[Reply]:
        """Send all of them, pipelined if supported; stops early if the first is rejected."""
        replies: list[Reply] = []
        size = _GROUP if "PIPELINING" in self.capabilities else 1
        for start in range(0, len(commands), size):
            group = commands[start : start + size]
            replies.append(self._ask("\r\n".join(group)))
            replies += [self._read() for _ in group[1:]]
            self._expect("MAIL", replies[0])
        return replies

    def _content(self, data: bytes, deadline: Deadline | None) -> Reply:
        self._wire.deadline = deadline or Deadline(_CONTENT_SECONDS + len(data) / _SLOWEST)
        try:
            # If this raises, not everything was sent, in particular not the final dot.
            self._wire.sendall(_LINE_START.sub(b"..", data) + b".\r\n")
        except Disconnected:
            if last := _LAST_WORD.match(self._wire.last_line):
                self._expect("DATA", _reply(int(last[1]), last[2]))
            raise
        try:
            reply = self._read()
        except Cancelled:
            raise
        except MailFault:
            raise _uncertain() from None
        if not reply.code.startswith(("2", "4", "5")):
            raise _uncertain()
        self._expect("DATA", reply)
        return reply

    @property
    def deadline(self) -> Deadline:
        """The deadline for the answer to the next command."""
        return self._wire.deadline

    @deadline.setter
    def deadline(self, deadline: Deadline) -> None:
        self._wire.deadline = deadline

    def close(self) -> None:
        """Send QUIT, but do not wait for an answer: it would not matter."""
        try:
            self._wire.sendall(b"QUIT\r\n")
        except MailFault:
            pass  # the connection is gone, or there is no time left
        finally:
            self._wire.close()

    def _path(self, address: str) -> str:
        local, _, domain = address.rpartition("@")
        if not (name := domain if domain.isascii() else ascii_host(domain)).isascii():
            raise Unsendable("The domain of the address is not valid under IDNA 2008.")
        return f"{local}@{name}"

    def _answer(self, dialogue: Dialogue, reply: Reply) -> Reply:
        try:
            answer = dialogue.answer(reply.text.encode())
        except ValueError:
            raise ProtocolViolation("The server's challenge is not base64.") from None
        if answer is None:
            self._expect("AUTH", self._ask("*"), only="235")
            raise ProtocolViolation(
                "The server keeps sending challenges after the sign-in was cancelled."
            )
        return self._ask(answer)

    def _ask(self, line: str) -> Reply:
        if self._begun:
            self._begun = False
            self._expect("RSET", self._ask("RSET"))
        self._wire.sendall(f"{line}\r\n".encode())
        return self._read()

    def _read(self) -> Reply:
        with self._answers():
            return _reply(*self._channel.getreply())

    def _expect(self, command: str, reply: Reply, *, only: str = "2", challenge: str = "") -> None:
        """Raise Declined unless the reply's code starts with ``only``."""
        if not reply.code:
            heard = self._wire.last_line.decode("utf-8", "replace")
            raise ProtocolViolation("The server's answer is not SMTP.", heard)
        if reply.code.startswith(only):
            return
        if reply.code[0] in "45":
            raise Declined(command, reply, challenge)
        raise ProtocolViolation(f"The server answered {command} with {reply.code}.", reply.text)

    @contextmanager
    def _answers(self) -> Iterator[None]:
        try:
            yield
        except smtplib.SMTPException:
            raise Disconnected(silent=self._wire.silent) from None


class _SmtpChannel(smtplib.SMTP):
    """smtplib over our wire."""

    def __init__(self, wire: Wire, ehlo_name: str | None = None) -> None:
        address = wire.local_address
        # The literal of our own address (RFC 5321 section 4.1.3). smtplib would look up our host name,
        # which can take long, and disclose it.
        literal = f"[IPv6:{address}]" if ":" in address else f"[{address}]"
        super().__init__(local_hostname=ascii_host(ehlo_name) if ehlo_name else literal)
        self.sock: Any = wire
        self.file: Any = wire

    def forget(self) -> None:
        """Discard everything received before TLS."""
        self.esmtp_features = {}
        self.ehlo_resp = None
        self.does_esmtp = False


def _uncertain() -> Uncertain:
    return Uncertain("the mail was transmitted, but the server did not confirm it")


def _reply(code: int, message: bytes) -> Reply:
    if not 200 <= code <= 599:  # noqa: PLR2004 - the reply codes of RFC 5321 section 4.2.1
        return Reply("")
    text = message.decode("utf-8", "replace").replace("\n", " ")
    enhanced = _ENHANCED.match(text)
    return Reply(str(code), enhanced[1] if enhanced else "", text)
