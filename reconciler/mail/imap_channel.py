"""imaplib and imapclient over a wire of ours: fewer round trips, our deadline, and no log of what was sent."""

from __future__ import annotations

import imaplib
from typing import TYPE_CHECKING, Any

from imapclient import IMAPClient

from reconciler.mail.faults import ProtocolViolation

if TYPE_CHECKING:
    from reconciler.mail.credentials import Dialogue
    from reconciler.mail.wire import Wire


class ImapChannel(imaplib.IMAP4):
    """imaplib over a wire of ours, without the round trips that can be spared and without its log."""

    def __init__(self, wire: Wire, *, upgrade: bool) -> None:
        self._wire = wire
        self._upgrade = upgrade
        self.told = False
        self.capabilities: tuple[str, ...] = ()
        self._ahead: dict[str, bytes] = {}
        self._held: list[bytes] | None = None
        super().__init__()

    def open(self, host: str = "", port: int = 143, timeout: float | None = None) -> None:  # noqa: ARG002 - imaplib's signature
        """Take the wire for the socket; nothing is connected here."""
        self.host = host
        self.port = port
        self.sock: Any = self._wire

    def read(self, size: int) -> bytes:
        """Read so many octets."""
        return self._wire.read(size)

    def readline(self) -> bytes:
        """Read a line with its end."""
        return self._wire.readline()

    def send(self, data: bytes) -> None:  # type: ignore[override]  # typeshed: any buffer
        """Send octets, or hold them back while commands are gathered."""
        if self._held is None:
            self._wire.sendall(data)
        else:
            self._held.append(bytes(data))

    def shutdown(self) -> None:
        """Close the wire."""
        self._wire.close()

    def _get_capabilities(self) -> None:
        # Called for the greeting: most servers list them in there.
        if self.take_capabilities():
            return
        if self._upgrade:
            self.capabilities = ("IMAP4REV1",)  # without which the library would not go on
        else:
            self.ask_capabilities()

    def take_capabilities(self) -> bool:
        """Use those that the server has just sent on its own; False if there are none."""
        found = self.untagged_responses.pop("CAPABILITY", None)
        if not found or not isinstance(found[-1], bytes) or not found[-1]:
            return False
        self.capabilities = tuple(found[-1].decode("ascii", "replace").upper().split())
        self.told = True
        return True

    def ask_capabilities(self) -> None:
        """Ask for them; raises an error if there is no answer."""
        if self.command("CAPABILITY") != "OK" or not self.take_capabilities():
            raise self.error("no capabilities")

    def forget(self) -> None:
        """Drop everything that was said before TLS."""
        self.untagged_responses.clear()
        self.capabilities = ()

    def send_ahead(self, *commands: tuple[str, ...]) -> None:
        """Send these in one go; whoever runs one of them next waits for its answer and sends nothing."""
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

    def examine(self, mailbox: str) -> int:
        """Open a mailbox for reading only; ``select`` would drop answers that came early."""
        self.is_readonly = True
        condition, _ = self._simple_command("EXAMINE", mailbox)
        if condition != "OK":
            raise self.error("EXAMINE")
        self.state = "SELECTED"
        messages: Any = self.untagged_responses.pop("EXISTS")[-1]
        return int(messages)

    def command(self, name: str, *arguments: str, dialogue: Dialogue | None = None) -> str:
        """Run a command, and give the condition in which it ended: OK, NO; raises for BAD."""
        if dialogue is not None:
            self.literal: Any = _Continuation(dialogue).answer
        condition, _ = self._simple_command(name, *arguments)
        return str(condition)

    def _log(self, line: str) -> None:
        """Keep no list of recent lines: the password is in one."""


class _Continuation:
    """Answers the server's challenges; a method of an object, because that is what imaplib tells by."""

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
        # It makes imaplib log every line, the ones with the passwords too.
        channel.debug = 0

    def _create_IMAP4(self) -> ImapChannel:  # noqa: N802 - imapclient's name
        return self._open_channel

    def _set_read_timeout(self) -> None:
        """Do nothing: the wire's deadline is the timeout."""
