"""``file:/path``: a secret from a file, as Docker, Kubernetes and systemd hand them out."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from reconciler.secrets.outcome import SIZE_LIMIT, Flaw, Outcome, from_octets

if TYPE_CHECKING:
    from pathlib import Path


def fetch(target: str, *, base: Path) -> Outcome:
    """Read a regular file, or what a link to one leads to; a relative path starts at ``base``.

    What is no regular file is refused, because reading a pipe or a device could wait for ever.
    """
    try:
        # O_NONBLOCK: to open a pipe that nobody writes to would wait for a writer.
        descriptor = os.open(base / target, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return Flaw("is not a regular file", "Point the reference at a file.")
            return from_octets(_read(descriptor))
        finally:
            os.close(descriptor)
    except OSError as error:
        return Flaw(f"cannot be read: {error.strerror}", "Check the path and its permissions.")


def _read(descriptor: int) -> bytes:
    """Read to the end, or to just over the limit."""
    octets = bytearray()
    while len(octets) <= SIZE_LIMIT and (chunk := os.read(descriptor, SIZE_LIMIT)):
        octets += chunk
    return bytes(octets)
