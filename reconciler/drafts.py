"""Drafts: files and folders that are filled next to their target and then moved there.

Drafts left behind by a killed process are removed. As a draft of another process may be in use,
it has to be an hour older than a new one; both times are those of the file system.
"""

from __future__ import annotations

import os
import re
import stat
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from reconciler.debts import owe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NAME: Final = re.compile(r"\..+\.draft-[0-9a-f]{8}(-journal|-wal|-shm)?")
"""SQLite keeps its own files next to its drafts."""

_ABANDONED_SECONDS: Final = 3600

_searched: set[Path] = set()
"""The folders that this process has cleaned: thousands of files may be replaced in one."""


def draft_name(name: str) -> str:
    """A new name for the draft of a file or folder, next to it."""
    return f".{name}.draft-{os.urandom(4).hex()}"


@contextmanager
def draft_of(target: Path) -> Iterator[Path]:
    """Yield a path next to ``target`` for its replacement, and remove what is left there."""
    path = target.parent / draft_name(target.name)
    removed = owe(partial(_discard, path))
    try:
        yield path
    finally:
        _discard(path)
        removed()


def _discard(draft: Path) -> None:
    import shutil  # noqa: PLC0415 - only where something is written

    for suffix in ("", "-journal", "-wal", "-shm"):
        with suppress(OSError):
            draft.with_name(f"{draft.name}{suffix}").unlink(missing_ok=True)
    shutil.rmtree(draft, ignore_errors=True)


def remove_abandoned(draft: Path) -> None:
    """Remove drafts that are an hour older than a new one, once in each folder."""
    folder = draft.parent
    if folder in _searched:
        return
    _searched.add(folder)
    with suppress(OSError):
        latest = draft.lstat().st_mtime - _ABANDONED_SECONDS
        with os.scandir(folder) as found:
            names = [item.name for item in found if _NAME.fullmatch(item.name)]
        for name in names:
            _remove(folder / name, latest)


def _remove(path: Path, latest: float) -> None:
    with suppress(OSError):
        status = path.lstat()
        own = not hasattr(os, "geteuid") or status.st_uid == os.geteuid()
        if status.st_mtime >= latest or not own:
            return
        if stat.S_ISDIR(status.st_mode):
            import shutil  # noqa: PLC0415 - as above

            shutil.rmtree(path)
        elif stat.S_ISREG(status.st_mode):
            path.unlink()
