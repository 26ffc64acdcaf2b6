"""Locks a file against other processes; the system releases the lock when the process ends."""

from __future__ import annotations

import os
import sys
from enum import Enum, auto
from pathlib import Path

from reconciler.disk_fault import NO_LOCKS


class LockResult(Enum):
    """How an attempt to lock a file ended.

    ``REPLACED`` is a file that was replaced or removed since it was opened.
    """

    TAKEN = auto()
    BUSY = auto()
    REPLACED = auto()


def try_lock(descriptor: int, path: str | Path) -> LockResult:
    """Lock the open file of ``path`` if no other process has it; closing the descriptor unlocks it.

    If the system has no such locks, the file counts as locked. Raises OSError if the file
    system supports none.
    """
    if sys.platform == "win32":
        return LockResult.TAKEN
    import fcntl  # noqa: PLC0415 - only where there is one

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return LockResult.BUSY
    except OSError as error:
        if error.errno in NO_LOCKS:
            raise
        return LockResult.TAKEN
    try:
        same = os.path.samestat(os.fstat(descriptor), Path(path).stat())
    except FileNotFoundError:
        same = False
    except OSError:  # unreadable; reading it reports that
        same = True
    return LockResult.TAKEN if same else LockResult.REPLACED
