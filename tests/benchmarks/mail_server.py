"""An IMAP and a submission server that do next to nothing, so that only the test itself costs time.

    python -m tests.benchmarks.mail_server CERTIFICATE

It prints the port of IMAP (TLS at once) and of SMTP (STARTTLS), and serves until its standard input ends.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from typing import TYPE_CHECKING

from tests.servers.loopback import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Callable

CAPABILITIES = "IMAP4rev1 SASL-IR AUTH=PLAIN NAMESPACE"
FOLDERS = ("INBOX", "Drafts", "Sent", "Trash", "Archive")
IMAP = {
    "AUTHENTICATE": f"{{tag}} OK [CAPABILITY {CAPABILITIES}] welcome\r\n",
    "NAMESPACE": '* NAMESPACE (("" "/")) NIL NIL\r\n{tag} OK done\r\n',
    "LIST": "".join(f'* LIST () "/" {name}\r\n' for name in FOLDERS) + "{tag} OK done\r\n",
    "EXAMINE": "* 3 EXISTS\r\n* OK [UIDVALIDITY 1] ok\r\n{tag} OK [READ-ONLY] done\r\n",
    "LOGOUT": "* BYE\r\n{tag} OK bye\r\n",
}
EHLO = "250-fast.example\r\n250-PIPELINING\r\n250-SIZE 10000000\r\n"
SMTP = {
    "AUTH": "235 2.7.0 welcome\r\n",
    "MAIL": "250 2.1.0 ok\r\n",
    "RCPT": "250 2.1.5 ok\r\n",
    "RSET": "250 2.0.0 ok\r\n",
    "QUIT": "221 2.0.0 bye\r\n",
}


class Lines(asyncio.Protocol):
    """Reads lines; all answers to what came together go out together."""

    greeting = ""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._rest = b""
        self._upgrading: asyncio.Task[None] | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self.greeting.encode())

    def data_received(self, data: bytes) -> None:
        self._rest += data
        if self._upgrading is None:
            self._answer_all()

    def _answer_all(self) -> None:
        *lines, self._rest = self._rest.split(b"\r\n")
        answers = "".join(self.answer(line.decode()) for line in lines)
        if self.transport is not None:
            self.transport.write(answers.encode())

    def answer(self, line: str) -> str:
        raise NotImplementedError


class Imap(Lines):
    greeting = f"* OK [CAPABILITY {CAPABILITIES}] ready\r\n"

    def answer(self, line: str) -> str:
        tag, command = line.split(" ")[:2]
        return IMAP.get(command, "{tag} BAD what?\r\n").replace("{tag}", tag)


class Smtp(Lines):
    greeting = "220 fast.example ESMTP\r\n"

    def answer(self, line: str) -> str:
        verb = line.partition(" ")[0].upper()
        encrypted = self.transport is not None and self.transport.get_extra_info("ssl_object")
        if verb == "EHLO":
            return EHLO + ("250 AUTH PLAIN\r\n" if encrypted else "250 STARTTLS\r\n")
        if verb == "STARTTLS":
            self._upgrading = asyncio.get_running_loop().create_task(self._upgrade())
            return "220 2.0.0 go ahead\r\n"
        return SMTP.get(verb, "502 5.5.1 what?\r\n")

    async def _upgrade(self) -> None:
        assert self.transport is not None
        loop = asyncio.get_running_loop()
        try:
            self.transport = await loop.start_tls(
                self.transport, self, self._context, server_side=True
            )
        except OSError:
            self.transport = None  # the client has hung up
        # The first command may have come along with the end of the handshake.
        self._upgrading = None
        self._answer_all()


async def serve(certificate: str) -> None:
    """Serve until standard input ends."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()
    makes: tuple[tuple[Callable[[], Lines], ssl.SSLContext | None], ...] = (
        (lambda: Imap(context), context),
        (lambda: Smtp(context), None),
    )
    for make, tls in makes:
        server = await loop.create_server(make, LOOPBACK, 0, ssl=tls, backlog=1024)
        print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
