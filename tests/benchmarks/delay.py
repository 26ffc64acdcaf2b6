"""A TCP proxy that simulates distance: everything is delayed, however much it is.

    python -m tests.benchmarks.delay ROUND_TRIP TARGET_PORT...

It prints a port of loopback for each target, and serves until its standard input ends. What arrives is
passed on after half a round trip, in both directions, however much else is in transit: latency without a
limit on bandwidth. A connection is taken at once, because no program can keep TCP waiting; so that the round
trip which TCP takes is not lost, what comes before it would be over is treated as if it came then.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from functools import partial

from tests.servers.loopback import LOOPBACK

Deed = Callable[[asyncio.Transport], None]


class End(asyncio.Protocol):
    """One end of a connection through the proxy, and what is due at the other end."""

    def __init__(self, account: float, opened: float) -> None:
        self._account = account
        self._opened = opened
        self._loop = asyncio.get_running_loop()
        self._due: list[Deed] = []
        self._other: asyncio.Transport | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._later(lambda other: other.write(data))

    def eof_received(self) -> bool:
        self._later(lambda other: other.close())
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._later(lambda other: other.close())

    def lead_to(self, other: asyncio.Transport) -> None:
        """Pass on to ``other`` from now on, and what was due before."""
        self._other = other
        for deed in self._due:
            deed(other)

    def _later(self, deed: Deed) -> None:
        when = max(self._loop.time(), self._opened) + self._account
        self._loop.call_at(when, self._now, deed)

    def _now(self, deed: Deed) -> None:
        if self._other is None:
            self._due.append(deed)
        else:
            deed(self._other)


class Client(End):
    """The end that the client is at."""

    def __init__(self, round_trip: float, target: int) -> None:
        super().__init__(round_trip / 2, asyncio.get_running_loop().time() + round_trip)
        self._target = target
        self._connecting: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._connecting = self._loop.create_task(self._connect())

    async def _connect(self) -> None:
        # The server hears of the connection with the last of the three segments that open it.
        await asyncio.sleep(self._opened + self._account - self._loop.time())
        server = End(self._account, 0.0)
        await self._loop.create_connection(lambda: server, LOOPBACK, self._target)
        assert self.transport is not None
        assert server.transport is not None
        server.lead_to(self.transport)
        self.lead_to(server.transport)


async def serve(round_trip: float, targets: list[int]) -> None:
    """Serve until standard input ends."""
    loop = asyncio.get_running_loop()
    for target in targets:
        server = await loop.create_server(
            partial(Client, round_trip, target), LOOPBACK, 0, backlog=1024
        )
        print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1]), [int(port) for port in sys.argv[2:]]))
