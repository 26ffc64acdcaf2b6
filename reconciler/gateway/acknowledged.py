"""Whether a client has received an answer: without it, the client sends its mail again."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SECONDS: Final = 10.0
"""How long to wait for an acknowledgement."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.001, 0.1


def is_acknowledged(transports: Iterable[asyncio.WriteTransport]) -> bool:
    """Whether the peer's system has received everything.

    ``transports`` are those of one connection, with and without TLS. If our system does not
    report acknowledgements, written data counts as received.
    """
    return not any(item.get_write_buffer_size() or _unacknowledged(item) for item in transports)


async def wait_for_acknowledgement(
    transports: Iterable[asyncio.WriteTransport], is_known: Callable[[], bool]
) -> bool:
    """Wait until the peer has everything, or ``is_known`` says so, and return whether it has."""
    loop = asyncio.get_running_loop()
    until, pause = loop.time() + SECONDS, _FIRST_PAUSE
    while not any(item.is_closing() for item in transports):
        if is_known() or is_acknowledged(transports):
            return True
        if loop.time() >= until:
            break
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
    return is_known()


def _unacknowledged(transport: asyncio.WriteTransport) -> int:
    """Octets that the peer has not acknowledged; Linux reports them (SIOCOUTQ, tcp(7))."""
    if sys.platform != "linux":
        return 0
    import fcntl  # noqa: PLC0415 - only where there is one
    import termios  # noqa: PLC0415

    with suppress(OSError):
        found = fcntl.ioctl(transport.get_extra_info("socket"), termios.TIOCOUTQ, bytes(4))
        return int.from_bytes(found, sys.byteorder)
    return 1  # the connection is gone
