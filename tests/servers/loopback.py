"""Free ports on loopback, and waiting for a condition."""

from __future__ import annotations

import random
import socket
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

LOOPBACK: Final = "127.0.0.1"
EPHEMERAL: Final = 32768
"""Where Linux takes the ports of outgoing connections from; a server up there may lose its port to one."""

_given: set[int] = set()


def free_port() -> int:
    """Find a port that is free on every address of loopback."""
    while True:
        port = random.randrange(20_000, EPHEMERAL)
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("", port))
            except OSError:
                continue
        _given.add(port)
        return port


def wait_until(ready: Callable[[], bool], what: str, *, seconds: float = 10.0) -> None:
    """Ask repeatedly until it is true; raises TimeoutError, which names ``what`` did not happen."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(0.005)


def greets(port: int, words: bytes) -> bool:
    """Whether a server on loopback accepts a connection and greets with these words."""
    heard = b""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1) as client:
            while words not in heard:
                more = client.recv(1024)
                if not more:
                    return False
                heard += more
    except OSError:
        return False
    return True
