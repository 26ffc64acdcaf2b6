"""A state for each of the sandboxes that run in a folder at the same time."""

from __future__ import annotations

import itertools
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from reconciler.errors import SandboxError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def own_state(folder: Path) -> Iterator[Path]:
    """Give the first state file in the folder that no other running sandbox uses, for as long as the block lasts.

    That is ``state.db``, which the next sandbox finds again, else ``state-2.db`` and so on. The lock is
    the system's, so it ends with the process, however that ends. Raises SandboxError if the folder cannot
    be written to.
    """
    for number in itertools.count(1):
        path = folder / ("state.db" if number == 1 else f"state-{number}.db")
        lock = path.with_suffix(".lock")
        try:
            handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise SandboxError(f"{folder} cannot be used: {error.strerror}") from None
        try:
            if _locked(handle, lock):
                try:
                    yield path
                finally:
                    lock.unlink(missing_ok=True)
                return
        finally:
            os.close(handle)


def _locked(handle: int, lock: Path) -> bool:
    if sys.platform == "win32":  # where sandboxes of one folder share its state
        return True
    import fcntl  # noqa: PLC0415 - only where there is one

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    # Whoever had it may have removed the file since it was opened.
    try:
        return os.path.samestat(os.fstat(handle), lock.stat())
    except FileNotFoundError:
        return False
