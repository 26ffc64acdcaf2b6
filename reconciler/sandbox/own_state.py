"""A separate state for each of the sandboxes that run in a folder at the same time."""

from __future__ import annotations

import itertools
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from reconciler.file_lock import LockResult, try_lock
from reconciler.sandbox.seed import unusable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def own_state(folder: Path) -> Iterator[Path]:
    """Yield the first state file in the folder that no other running sandbox uses, during a block.

    That is ``state.db``, which the next sandbox finds again, else ``state-2.db`` and so on. Raises SandboxError if
    the folder cannot be written to.
    """
    for number in itertools.count(1):
        path = folder / ("state.db" if number == 1 else f"state-{number}.db")
        lock = path.with_suffix(".lock")
        try:
            handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise unusable(folder, error) from None
        try:
            try:
                result = try_lock(handle, lock)
            except OSError as error:
                raise unusable(folder, error) from None
            if result is LockResult.TAKEN:
                try:
                    yield path
                finally:
                    lock.unlink(missing_ok=True)
                return
        finally:
            os.close(handle)
