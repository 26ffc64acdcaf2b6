"""imaplib and imapclient over our wire: fewer round trips, our deadline, and no log of sent data."""

from __future__ import annotations

import imaplib
import re
from typing import TYPE_CHECKING, Any, Final, TypeVar

from imapclient import IMAPClient

from reconciler.mail.faults import Disconnected, ProtocolViolation, TimedOut
from reconciler.mail.imap_lines import items, lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.mail.credentials import Dialogue
    from reconciler.mail.imap_lines import Item
    from reconciler.mail.wire import Wire

T = TypeVar("T")

_UNTAGGED: Final = re.compile(
    rb"[ \t]*\*[ \t]+(\d+[ \t]+)?([A-Za-z][A-Za-z-]*)(?![^\s\[(])[ \t]*(.*)", re.DOTALL
)
_TAGGED: Final = re.compile(
    rb"([A-Z]{4}\d+)[ \t]+(OK|NO|BAD)\b[ \t]*(.*)", re.DOTALL | re.IGNORECASE
)
_LITERAL: Final = re.compile(rb"\{(\d+)\}\r?\n\Z")


_REVISION_1: Final = "IMAP4REV1"


def not_imap(line: bytes) -> ProtocolViolation:
    """Return the fault of a server that answers with this line."""
    return ProtocolViolation("The server's answer is not IMAP.", line.decode("utf-8", "replace"))


def _spelled(line: bytes) -> bytes:
    """Normalise the beginning of an answer: single blanks and capitals."""
    if match := _UNTAGGED.match(line):
        number, kind, rest = match[1] or b"", match[2].upper(), match[3]
        head = b"* " + (number.strip() + b" " if number else b"") + kind
        return head + b" " + rest if rest.strip() else head + b"\r\n"
    if match := _TAGGED.match(line):
        return b" ".join((match[1].upper(), match[2].upper(), match[3]))
    return line


class ImapChannel(imaplib.IMAP4):
    """imaplib over our wire, without unnecessary round trips and without its log."""

    def __init__(self, wire: Wire, *, upgrade: bool) -> None:
        self._wire = wire
        self._upgrade = upgrade
        self.told = False
        self.capabilities: tuple[str, ...] = ()
        self._ahead: dict[str, bytes] = {}
        self._held: list[bytes] | None = None
        self.unreadable = 0
        self._listed = 0
        self._begins = False
        self._greeted = False
        super().__init__()
        self.capabilities = self.capabilities[: self._listed]

    def open(self, host: str = "", port: int = 143, timeout: float | None = None) -> None:  # noqa: ARG002 - imaplib's signature
        """Use the wire as the socket; nothing is connected here."""
        self.host = host
        self.port = port
        self.sock: Any = self._wire

    def read(self, size: int) -> bytes:
        """Read a number of octets."""
        return self._wire.read(size)

    def readline(self) -> bytes:
        """Read a line with its end; the start of an answer is normalised for imaplib."""
        line = self._line()
        if not self._begins:
            return line
        self._begins = False
        while not self._begins_an_answer(line):
            self._drop(line)
            try:
                line = self._line()
            except (Disconnected, TimedOut):
                raise not_imap(line) from None  # so this was meant to be the answer
        return _spelled(line)

    def _line(self) -> bytes:
        """Read a line; imaplib supports only CRLF as line end."""
        line = self._wire.readline()
        return line if line.endswith(b"\r\n") else line.removesuffix(b"\n") + b"\r\n"

    def _begins_an_answer(self, line: bytes) -> bool:
        """Whether this can be the expected line: any greeting, or later any line of IMAP."""
        words = line.split(None, 1)
        if not words or not self._greeted:
            return bool(words)
        if words[0].startswith(b"+"):
            return True
        return bool(_UNTAGGED.match(line)) or words[0].upper() in self.tagged_commands

    def _get_response(self, *arguments: Any) -> Any:
        self._begins = True
        return super()._get_response(*arguments)  # type: ignore[misc]  # typeshed: private

    def _drop(self, line: bytes) -> None:
        """Skip a line, and count it."""
        self.unreadable += 1
        while literal := _LITERAL.search(line):
            self._wire.read(int(literal[1]))
            line = self._line()

    def read_all(self, kind: str, read: Callable[[list[Item]], T]) -> tuple[T, ...]:
        """Read each received line of a kind; unreadable ones are skipped and counted."""
        found = []
        untagged: Any = self.untagged_responses.pop(kind, [])
        for line in lines(untagged):
            try:
                found.append(read(items(line)))
            except ValueError:
                self.unreadable += 1
        return tuple(found)

    def send(self, data: bytes) -> None:  # type: ignore[override]  # typeshed: any buffer
        """Send octets, or buffer them while commands are collected."""
        if self._held is None:
            self._wire.sendall(data)
        else:
            self._held.append(bytes(data))

    def shutdown(self) -> None:
        """Close the wire."""
        self._wire.close()

    def _get_capabilities(self) -> None:
        # Called for the greeting: most servers list them in there.
        self._greeted = True
        if not self.take_capabilities() and not self._upgrade:
            self.ask_capabilities()
        self._listed = len(self.capabilities)
        self.capabilities += (_REVISION_1,)  # the library needs it to continue

    def take_capabilities(self) -> bool:
        """Use those that the server has just sent unasked, in one line or several; False if none."""
        untagged: Any = self.untagged_responses.pop("CAPABILITY", [])
        lines = b" ".join(line for line in untagged if isinstance(line, bytes))
        found = tuple(dict.fromkeys(lines.decode("ascii", "replace").upper().split()))
        if found:
            self.capabilities, self.told = found, True
        return bool(found)

    def ask_capabilities(self) -> None:
        """Ask for them. If the server refuses, or lists none that can be read, the old ones stay."""
        try:
            self.command("CAPABILITY")
        except self.abort:  # BYE
            raise
        except self.error:
            return
        self.take_capabilities()

    def forget(self) -> None:
        """Discard everything received before TLS."""
        self.untagged_responses.clear()
        self.capabilities = ()

    def send_ahead(self, *commands: tuple[str, ...]) -> None:
        """Send these in one go; running one of them later only waits for its answer."""
        self._held = []
        try:
            tags = {name: self._command(name, *arguments) for name, *arguments in commands}
            data = b"".join(self._held)
        finally:
            self._held = None
        self._ahead = tags
        self._wire.sendall(data)

    def _command(self, name: str, *args: Any) -> bytes:
        tag: bytes | None = self._ahead.pop(name, None)
        return super()._command(name, *args) if tag is None else tag  # type: ignore[misc]  # typeshed: private

    def examine(self, mailbox: str) -> int | None:
        """Open a mailbox read-only; ``select`` would drop answers that came early.

        Returns the number of messages, None if no readable line states it.
        """
        self.is_readonly = True
        condition, _ = self._simple_command("EXAMINE", mailbox)
        if condition != "OK":
            raise self.error("EXAMINE")
        self.state = "SELECTED"
        told: Any = self.untagged_responses.pop("EXISTS", [])
        numbers = [int(item) for item in told if item and item.isdigit()]
        return numbers[-1] if numbers else None

    def command(self, name: str, *arguments: str, dialogue: Dialogue | None = None) -> str:
        """Run a command, and return its status, OK or NO; raises for BAD."""
        if dialogue is not None:
            self.literal: Any = _Continuation(dialogue).answer
        condition, _ = self._simple_command(name, *arguments)
        return str(condition)

    def _log(self, line: str) -> None:
        """Keep no list of recent lines: one contains the password."""


class _Continuation:
    """Answers the server's challenges; a method, because imaplib calls it that way."""

    def __init__(self, dialogue: Dialogue) -> None:
        self._dialogue = dialogue
        self._stopped = False

    def answer(self, challenge: bytes) -> bytes:
        if self._stopped:
            raise ProtocolViolation(
                "The server keeps sending challenges after the sign-in was cancelled."
            )
        answer = self._dialogue.answer(challenge or b"")
        self._stopped = answer is None
        return b"*" if answer is None else answer.encode("ascii")


class ImapClient(IMAPClient):  # type: ignore[misc]  # imapclient has no types
    """imapclient over a channel that is already open."""

    def __init__(self, channel: ImapChannel) -> None:
        self._open_channel = channel
        super().__init__(host="", port=0, ssl=False)
        # It would make imaplib log every line, including passwords.
        channel.debug = 0

    def _create_IMAP4(self) -> ImapChannel:  # noqa: N802 - imapclient's name
        return self._open_channel

    def _set_read_timeout(self) -> None:
        """Do nothing: the wire's deadline is the timeout."""
