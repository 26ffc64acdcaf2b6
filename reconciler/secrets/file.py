"""``file:/path``: a secret from a file, as Docker, Kubernetes and systemd hand them out."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from reconciler.disk_fault import disk_fault
from reconciler.secrets.outcome import SIZE_LIMIT, Flaw, Outcome, from_octets

_PRIVATE = frozenset({".git", ".reconciler"})
"""Folders of git and of this tool, which never contain an account's password."""

_KERNEL = ("/proc", "/sys")


def real_path(target: str, *, base: Path) -> str:
    """Resolve a path to its canonical spelling, following links."""
    return os.path.realpath(base / target)


def refusal(path: str, folders: tuple[str, ...] = ()) -> Flaw | None:
    """Say why the file at a real path may not be a secret; None if it may.

    Empty ``folders`` allow every folder.
    """
    parts = Path(path).parts
    if name := next((part for part in parts if part in _PRIVATE), None):
        return Flaw(f"may not be read from {name}", "Keep secrets in a folder of their own.")
    if any(path == top or path.startswith(f"{top}/") for top in _KERNEL):
        return Flaw("may not be read from /proc or /sys", "Point the reference at a file.")
    if folders and not any(_within(path, os.path.realpath(folder)) for folder in folders):
        return Flaw(
            f"may be read only from {', '.join(folders)}", "The owner's rules name these folders."
        )
    return None


def _within(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip(os.sep) + os.sep)


def fetch(target: str, *, base: Path, folders: tuple[str, ...] = ()) -> Outcome:
    """Read a regular file, or what a link to one leads to; a relative path starts at ``base``.

    What is not a regular file is refused, because reading a pipe or a device could block forever;
    so is what :func:`refusal` names. The file is opened by its real path, so that a link that
    changes between the check and the reading leads nowhere else.
    """
    path = real_path(target, base=base)
    if flaw := refusal(path, folders):
        return flaw
    try:
        # O_NONBLOCK: opening a pipe without a writer would block.
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
        descriptor = os.open(path, flags)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return Flaw("is not a regular file", "Point the reference at a file.")
            return from_octets(_read(descriptor))
        finally:
            os.close(descriptor)
    except OSError as error:
        fault = disk_fault(error, path)
        return Flaw(f"cannot be read: {fault.reason}", fault.remedy)


def _read(descriptor: int) -> bytes:
    """Read to the end, or to just over the limit."""
    octets = bytearray()
    while len(octets) <= SIZE_LIMIT and (chunk := os.read(descriptor, SIZE_LIMIT)):
        octets += chunk
    return bytes(octets)
