"""The folder of a state on disk: private, kept out of git, and filled without half-written files."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from reconciler.disk_fault import disk_fault
from reconciler.drafts import draft_of, remove_abandoned
from reconciler.errors import StateUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

USUAL_NAME = ".reconciler"
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)


def prepare(folder: Path) -> None:
    """Create the folder for its owner alone, with a ``.gitignore`` that keeps all of it out of git.

    An existing folder keeps its mode and, unless it is called ``.reconciler``, gets no
    ``.gitignore``, since it is not ours. Raises StateUnavailable.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            if folder.name != USUAL_NAME:
                return
        with suppress(FileExistsError):
            _ignore_all(folder / ".gitignore")
    except OSError as error:
        raise unavailable(folder, "created", error) from None


def _ignore_all(path: Path) -> None:
    """Write the file whole or not at all: a later run would take an empty one for ours."""
    with path.open("x", encoding="utf-8") as ignore:  # "x" follows no link
        try:
            ignore.write("*\n")
            ignore.flush()
        except BaseException:
            path.unlink(missing_ok=True)
            raise


def refuse_shared(folder: Path) -> None:
    """Raise StateUnavailable for a ``.reconciler`` that others can write.

    Anyone with write access, or who can commit a link to the repository, could plant a key and a state. A
    folder of another name is the user's choice and is not checked.
    """
    if folder.name != USUAL_NAME:
        return
    try:
        status = folder.lstat()
    except OSError:
        return  # opening it reports the problem
    if stat.S_ISLNK(status.st_mode):
        raise StateUnavailable(
            f"{folder} is a link, which a pull request could have added",
            hint="Remove it, or name the state that it leads to with --state or RECONCILER_STATE.",
        )
    if os.name != "nt" and (status.st_uid not in (0, os.geteuid()) or status.st_mode & 0o022):
        raise StateUnavailable(
            f"{folder} can be changed by other users, so its key and its state cannot be trusted",
            hint=f"Make it writable only by you: chown $(id -u) {folder}; chmod go-w {folder}",
        )


OWNER_ALONE = 0o077
"""Mode bits that a key may not have, as with ssh's private keys."""

NO_STRANGER = 0o027
"""Mode bits that a state may not have; a group may read it.

A file that git checked out has one of these.
"""


def refuse_exposed(file: Path, forbidden: int) -> None:
    """Raise StateUnavailable for a file in ``.reconciler`` that is a link, another user's, or too open.

    Files from a checkout are readable by everybody; those that reconciler writes have mode 0600. In
    a folder of another name the file is the user's choice and is not checked.
    """
    if file.parent.name != USUAL_NAME:
        return
    try:
        status = file.lstat()
    except OSError:
        return  # opening it reports the problem
    if stat.S_ISLNK(status.st_mode):
        raise StateUnavailable(
            f"{file} is a link, which a pull request could have added",
            hint="Remove it, or name the state that it belongs to with --state or RECONCILER_STATE.",
        )
    if os.name == "nt" or not stat.S_ISREG(status.st_mode):
        return  # likewise
    if status.st_uid not in (0, os.geteuid()):
        raise StateUnavailable(
            f"{file} belongs to another user, so it cannot be trusted",
            hint=f"If it is yours: chown $(id -u) {file}",
        )
    if status.st_mode & forbidden:
        mode = stat.S_IMODE(status.st_mode)
        raise StateUnavailable(
            f"{file} is open to other users (mode {mode:04o}), so it cannot be trusted",
            hint=f"If you put it there: chmod {mode & ~forbidden & 0o777:04o} {file}. If git did: remove it"
            " from the repository, and use a key and a state of your own.",
        )


def refuse_unsafe(database: Path) -> None:
    """Raise StateUnavailable for a SQLite state that others could have planted or can write."""
    refuse_shared(database.parent)
    for suffix in ("", "-wal", "-shm"):
        refuse_exposed(database.with_name(f"{database.name}{suffix}"), NO_STRANGER)


@contextmanager
def draft(target: Path) -> Iterator[Path]:
    """Yield an empty file (mode 0600) beside ``target`` to fill.

    It is removed at the end, with SQLite's files.
    """
    with draft_of(target) as path:
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        except OSError as error:
            raise unavailable(target, "created", error) from None
        remove_abandoned(path)
        yield path


def publish(filled: Path, target: Path) -> bool:
    """Publish ``filled`` as ``target`` atomically, unless another process was faster.

    A hard link, unlike a rename, never replaces an existing file. Returns whether this file was
    published. Raises StateUnavailable.
    """
    try:
        _to_disk(filled)
        os.link(filled, target)
        _to_disk(target.parent)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno in _NO_LINKS:
            raise StateUnavailable(
                f"{target} cannot be created: the file system has no hard links",
                hint="keep the state on a local file system, or in PostgreSQL",
            ) from None
        raise unavailable(target, "created", error) from None
    return True


def replace(filled: Path, target: Path) -> None:
    """Replace ``target`` with ``filled`` atomically.

    Raises StateUnavailable.
    """
    try:
        _to_disk(filled)
        filled.replace(target)
        _to_disk(target.parent)
    except OSError as error:
        raise unavailable(target, "created", error) from None


def unavailable(path: Path, verb: str, error: OSError) -> StateUnavailable:
    """The error for a path, with the reason and the remedy."""
    fault = disk_fault(error, path)
    return StateUnavailable(f"{path} cannot be {verb}: {fault.reason}", hint=fault.remedy)


def _to_disk(path: Path) -> None:
    folder = path.is_dir()
    if folder and os.name == "nt":  # Windows opens no folders, and flushes only what may be written
        return
    handle = os.open(path, os.O_RDONLY if folder else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
