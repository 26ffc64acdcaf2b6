"""A connection that breaks, or stalls for a while, after so many octets."""

from __future__ import annotations

import socket
import struct
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.servers.pass_on import PassOn

if TYPE_CHECKING:
    from pathlib import Path

_RESET: Final = struct.pack("ii", 1, 0)
"""Linger for no time: closing then resets the connection."""


@dataclass(frozen=True, slots=True)
class LinkFault:
    """What happens once ``after`` octets have passed ``upwards``, to the server, or down from it.

    The connection is cut, with a reset or without; or, with ``pause``, it stalls for so many seconds.
    """

    upwards: bool
    after: int
    pause: float = 0.0
    reset: bool = False


class FaultyLink(PassOn):
    """Counts what passes in each direction, over all connections, and has one fault at most."""

    def __init__(self, target: int | Path, fault: LinkFault | None = None) -> None:
        super().__init__(target)
        self.passed = {True: 0, False: 0}
        self.faulted = False
        self._fault = fault
        self._counting = threading.Lock()

    def piece(
        self, client: socket.socket, server: socket.socket, data: bytes, *, upwards: bool
    ) -> bool:
        """Pass on as much as comes before the fault, and then let it happen."""
        fault = self._fault
        with self._counting:
            before = self.passed[upwards]
            self.passed[upwards] += len(data)
            strikes = (
                fault is not None
                and not self.faulted
                and fault.upwards is upwards
                and before + len(data) > fault.after
            )
            self.faulted = self.faulted or strikes
        if fault is None or not strikes:
            return super().piece(client, server, data, upwards=upwards)
        kept = max(0, fault.after - before)
        super().piece(client, server, data[:kept], upwards=upwards)
        if fault.pause:
            self._over.wait(fault.pause)
            return super().piece(client, server, data[kept:], upwards=upwards)
        if fault.reset:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        return False
