"""A client that continues or leaves after the answer to its mail: did it receive the answer?"""

from __future__ import annotations

import asyncio
import ssl
from asyncio.sslproto import SSLProtocol
from contextlib import suppress
from typing import Any, Final

import pytest

from reconciler.gateway import protocol
from reconciler.gateway.protocol import GatewayProtocol

MAIL: Final = b"MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n\r\nx\r\n.\r\n"


class Handler:
    """Takes every mail, and notes whether its client knew the answer when the connection ended."""

    is_ending = False

    def __init__(self) -> None:
        self.told: list[bool] = []
        self.is_over = asyncio.Event()

    async def handle_DATA(self, *_: Any) -> str:  # noqa: N802 - aiosmtpd's name
        return "250 2.0.0 taken"

    def begin(self, *_: Any) -> str:
        return ""

    async def conclude(self, *_: Any, is_told: bool) -> None:
        raise AssertionError(is_told)

    def end(self, server: GatewayProtocol) -> None:
        self.told.append(server.is_told)
        self.is_over.set()


@pytest.mark.parametrize(
    ("last", "is_told"), [(b"QUIT\r\n", True), (b"", False)], ids=["says goodbye", "says nothing"]
)
def test_a_client_that_sends_more_before_leaving_has_read_the_answer(
    monkeypatch: pytest.MonkeyPatch, last: bytes, *, is_told: bool
) -> None:
    async def never(*_: object) -> bool:
        await asyncio.Event().wait()
        return False

    monkeypatch.setattr(protocol, "wait_for_acknowledgement", never)
    monkeypatch.setattr(protocol, "is_acknowledged", lambda _: False)

    async def scene() -> None:
        handler: Any = Handler()
        made: list[GatewayProtocol] = []

        def make() -> GatewayProtocol:
            made.append(GatewayProtocol(handler, lambda _: None, hostname="here"))
            made[-1].was_served, made[-1]._auth_required = True, False
            return made[-1]

        server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
        writer.write(b"EHLO client.example\r\n" + MAIL)
        while not (await reader.readline()).startswith(b"250 2.0.0 taken"):
            pass
        writer.write(last)
        while last and not made[0].is_told:  # noqa: ASYNC110 - what reads tells nobody
            await asyncio.sleep(0.001)
        made[0].abort()  # as a connection with TLS ends that the client closes
        await handler.is_over.wait()
        with suppress(OSError):
            await reader.read()
        writer.close()
        server.close()
        await server.wait_closed()
        assert handler.told == [is_told]

    asyncio.run(asyncio.wait_for(scene(), 60))


def test_a_connection_that_is_closing_already_is_not_dismissed() -> None:
    async def scene() -> None:
        handler: Any = Handler()
        made = GatewayProtocol(handler, lambda _: None, hostname="here")
        context = ssl.create_default_context()
        tls: Any = SSLProtocol(asyncio.get_running_loop(), made, context, None)  # type: ignore[arg-type]
        transport = tls._get_app_transport()
        transport.close()
        transport.close()  # asyncio's transport drops its connection the second time
        made.transport = transport
        made.dismiss()
        made._is_answered = True
        assert not made.eof_received()
        assert not made.is_told

    asyncio.run(asyncio.wait_for(scene(), 60))
