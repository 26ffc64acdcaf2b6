"""Ports on loopback that are free, and waiting for what is about to happen."""

from __future__ import annotations

import random
import socket
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

LOOPBACK: Final = "127.0.0.1"
EPHEMERAL: Final = 32768
"""Where Linux takes the ports of outgoing connections from; a server up there may find its own gone."""

_given: set[int] = set()


def free_port() -> int:
    """Find a port that nobody listens on, whichever of loopback's addresses one asks."""
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
    """Ask again and again until the answer is yes; raises TimeoutError, which says ``what`` was not."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(0.005)


def greets(port: int, words: bytes) -> bool:
    """Whether a server on loopback takes a connection and says these words of its own accord."""
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
