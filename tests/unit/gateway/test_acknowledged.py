"""An answer counts once the client's system has received it, not as soon as it is written."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from collections.abc import Callable

import pytest

from reconciler.gateway import acknowledged

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")

Act = Callable[[socket.socket], object]


def outcome(before: Act, octets: int) -> bool:
    """Connect, let the client do something, write to it, and say whether it has that."""

    async def scene() -> bool:
        loop = asyncio.get_running_loop()
        with socket.create_server(("127.0.0.1", 0)) as listening:
            client = socket.socket()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(listening.getsockname())
            ours, _ = await asyncio.to_thread(listening.accept)
        transport, _ = await loop.create_connection(asyncio.Protocol, sock=ours)
        try:
            before(client)
            transport.write(b"2" * octets)
            return await acknowledged.wait_for_acknowledgement([transport], lambda: False)
        finally:
            transport.abort()
            client.close()

    return asyncio.run(asyncio.wait_for(scene(), 60))


def reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


@pytest.mark.parametrize(
    ("before", "has_it"),
    [
        (socket.socket.fileno, True),
        (lambda client: client.shutdown(socket.SHUT_WR), True),
        (socket.socket.close, False),
        (reset, False),
    ],
    ids=["is there", "has closed its half", "has closed", "has vanished"],
)
def test_a_client_has_its_answer_unless_it_has_gone(before: Act, *, has_it: bool) -> None:
    assert outcome(before, 40) is has_it


def test_what_the_client_does_not_read_is_not_acknowledged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acknowledged, "SECONDS", 0.1)
    assert outcome(socket.socket.fileno, 10_000_000) is False
