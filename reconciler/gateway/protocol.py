"""aiosmtpd's protocol, with guards for its weaknesses.

It accepts commands that end in a bare LF, compares names of mechanisms case-sensitively, drops supposed
comments from addresses, closes a connection in the middle of a handover when its timer runs out or the
client closes its half, and waits forever for a client that reads nothing.
"""

from __future__ import annotations

import asyncio
import logging
import re
from asyncio.sslproto import SSLProtocol
from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, cast

from aiosmtpd.smtp import SMTP, TLSSetupException

from reconciler.gateway.acknowledged import is_acknowledged, wait_for_acknowledgement

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from reconciler.gateway.submission import HandledMail, SubmissionHandler

# At level INFO, aiosmtpd logs whole commands, including passwords.
_AIOSMTPD: Final = logging.getLogger("mail.log")
_AIOSMTPD.setLevel(logging.CRITICAL + 1)

# An idle connection would hold 256 KiB; a TLS record has 16 KiB at most (RFC 8446 section 5.1).
SSLProtocol.max_size = 16 * 1024

_LONGEST_COMMAND: Final = 12288
"""Octets of an AUTH command (RFC 4954 section 4)."""

_PATH: Final = re.compile(
    r"""(?:@[^\s:]+:)?                                        # a source route, which is dropped
    (?:"(?:[^"\\]|\\.)*"|[^\s\ud800-\udfff()<>,;:"\\\[\]@]+)  # the local part
    @(?:\[[^\s\[\]]+\]|[^\s\ud800-\udfff()<>,;:"\\\[\]@]+)""",
    re.VERBOSE,
)
"""An address as in RFC 5321 section 4.1.2, without the comments and white space of RFC 5322."""


class GatewayProtocol(SMTP):
    """One connection of a client."""

    def __init__(
        self, handler: SubmissionHandler, lost: Callable[[GatewayProtocol], None], **settings: Any
    ) -> None:
        # aiosmtpd keeps these limits on the class, so connections would change each other's.
        self.command_size_limits = defaultdict(lambda: _LONGEST_COMMAND)
        # Commands may be that long, but not the lines of a mail.
        self.line_length_limit = _LONGEST_COMMAND
        self._handler = handler
        self._lost = lost
        self.is_busy = False
        self.was_served = False
        self.carrier: asyncio.BaseTransport | None = None
        self.handed_over: Future[HandledMail] | None = None
        self.concluded: Future[None] | None = None
        self._is_answered = False
        self.is_told = False
        # If set at once, it warns about every listener without TLS; the command ensures loopback.
        super().__init__(handler, **settings, auth_required=False)
        self._auth_required = True
        self.line_length_limit = SMTP.line_length_limit

    @property
    def peer(self) -> str:
        """The address of the client."""
        peer = cast("object", self.session.peer) if self.session is not None else None
        return str(peer[0]) if isinstance(peer, tuple) and peer else ""

    @property
    def is_encrypted(self) -> bool:
        """Whether the connection is protected by TLS."""
        transport = self.transport
        return transport is not None and transport.get_extra_info("ssl_object") is not None

    def connection_lost(self, error: Exception | None) -> None:
        """Note that the connection is over."""
        if self.was_served:
            super().connection_lost(error)
        self._lost(self)

    def data_received(self, data: bytes) -> None:
        """Continue reading.

        A client that sends more after the answer to a mail has read it, even if the connection ends at
        once.
        """
        self.is_told = self.is_told or self._is_answered
        super().data_received(data)

    def eof_received(self) -> bool:
        """Answer what the client has already sent: it may close its side and wait. TLS has no half-close."""
        transport = self.transport
        # A TLS transport that was closed twice has no connection left.
        is_open = isinstance(transport, asyncio.WriteTransport) and not transport.is_closing()
        if is_open and self._is_answered and is_acknowledged(self._transports):
            self.is_told = True
        asyncio.StreamReaderProtocol.eof_received(self)
        if not is_open:
            return False
        return not self.is_encrypted

    def pause_timer(self) -> None:
        """Suspend the timer while the provider works."""
        if self._timeout_handle is not None:
            self._timeout_handle.cancel()

    def resume_timer(self) -> None:
        """Restart the timer."""
        if self.transport is not None:
            self._reset_timeout()

    def dismiss(self) -> None:
        """End the connection, after answering a pending mail."""
        if self.transport is None:  # in the handshake
            self.abort()
        elif not (self.is_busy or self.transport.is_closing()):
            self.transport.write(b"421 4.3.2 The gateway is ending\r\n")  # type: ignore[attr-defined]
            self.transport.close()

    def close_after_writing(self) -> None:
        """End the connection once the client has all data; the timer handles one that never reads."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.close()

    def abort(self) -> None:
        """Abort the connection."""
        transport = self._original_transport or self.transport or self.carrier
        if isinstance(transport, asyncio.Transport):
            transport.abort()

    def _timeout_cb(self) -> None:
        # close() would first wait for the client to read pending data.
        self.abort()

    def _cb_client_connected(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        super()._cb_client_connected(reader, writer)
        read = reader.readuntil

        async def readuntil(separator: Any = b"\n") -> bytes:
            is_command = separator == b"\n"
            try:
                line = await read(separator)
            except asyncio.IncompleteReadError:
                self.close_after_writing()
                raise asyncio.CancelledError from None  # aiosmtpd expects this at the end
            except asyncio.LimitOverrunError:
                if not is_command:
                    raise
                await self.push("500 5.5.6 The line is too long")
                self.close_after_writing()
                raise ConnectionResetError from None
            if is_command and (line[-2:] != b"\r\n" or b"\r" in line[:-2] or b"\0" in line):
                await self.push("500 5.5.2 A command ends in CR and LF")
                self.close_after_writing()
                raise ConnectionResetError
            return line

        reader.readuntil = readuntil  # type: ignore[method-assign]

    async def _wait_until_told(self) -> bool:
        """Wait until the client has the answer to its mail, and say whether it has."""
        self._is_answered = True
        return await wait_for_acknowledgement(self._transports, lambda: self.is_told)

    @property
    def _transports(self) -> list[asyncio.WriteTransport]:
        both = (self.transport, self.carrier)
        return [item for item in both if isinstance(item, asyncio.WriteTransport)]

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        """Parse an address like aiosmtpd, but reject one that parsing would change."""
        text = arg.lstrip()
        if text.startswith("<>"):
            return super()._getaddr(arg)
        path = _PATH.match(text, text.startswith("<"))
        if path is None:
            return None, None
        end = text[path.end() :]
        if not (end.startswith(">") if text.startswith("<") else end[:1] in ("", " ")):
            return None, None
        return super()._getaddr(arg)

    async def smtp_VRFY(self, _arg: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """Verify nobody (RFC 5321 section 3.5.3)."""
        if not await self.check_auth_needed("VRFY"):
            await self.push("252 2.5.0 Addresses are not verified; send the mail")

    async def smtp_STARTTLS(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        """Start TLS; a client that leaves during the handshake is reported as lost."""
        with suppress(TLSSetupException):
            await super().smtp_STARTTLS(arg)
        if self._original_transport is not None and self._original_transport.is_closing():
            self.connection_lost(None)

    async def smtp_AUTH(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        """Sign in; names of mechanisms are compared without case (RFC 4422 section 3.1)."""
        mechanism, blank, rest = (arg or "").partition(" ")
        await super().smtp_AUTH(f"{mechanism.upper()}{blank}{rest}")

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        """Accept a mail if there is room: it is kept in memory."""
        if self.envelope is None or not self.envelope.rcpt_tos or arg:
            await super().smtp_DATA(arg)
            return
        refusal = self._handler.begin(self)
        if refusal:
            await self.push(refusal)
            return
        self.is_busy = True
        self._is_answered = self.is_told = False
        try:
            await super().smtp_DATA(arg)
            await self._handler.conclude(self, is_told=await self._wait_until_told())
        finally:
            self.is_busy = False
            self._handler.end(self)
        if self._handler.is_ending:
            self.dismiss()
