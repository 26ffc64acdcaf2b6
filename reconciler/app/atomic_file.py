"""Atomic files: written completely or not at all, and read as bytes."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.app.project_folder import is_project
from reconciler.disk_fault import disk_fault
from reconciler.drafts import draft_of, remove_abandoned
from reconciler.errors import ReconcilerError
from reconciler.signals import deferred

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


def refuse_escape(path: Path) -> None:
    """Raise ReconcilerError for a path that is a link, or that leaves a repository through one.

    Otherwise a pull request could make a plan or report overwrite any file of the user. Each
    link is judged by where it is: inside a checkout, a project or the working folder, it may
    not lead outside; elsewhere it belongs to the user. The system's links to streams, such as
    ``/dev/stdout``, are allowed.
    """
    if path.is_symlink() and not _is_of_streams(os.path.realpath(path.parent)):
        raise ReconcilerError(
            f"{path} is a link, so nothing is written to it",
            hint="Remove the link, or name the file that it leads to.",
        )
    at = Path(path.anchor) if path.is_absolute() else Path.cwd()
    for part in path.parts[1:-1] if path.is_absolute() else path.parts[:-1]:
        at = Path(os.path.realpath(at))
        # Do not normalise the text: link/../file is next to the link's target.
        at = at.parent if part == ".." else at / part
        bounds = _repository_of(at.parent) if at.is_symlink() else None
        if bounds is not None and not Path(os.path.realpath(at)).is_relative_to(bounds):
            raise ReconcilerError(
                f"{path} leads out of {bounds} through the link {at.name}, so nothing is written to it",
                hint="Remove the link, or name the file that it leads to.",
            )


def _is_of_streams(folder: str) -> bool:
    # Below /dev anybody may have files: in /dev/shm.
    return folder == "/dev" or folder.startswith("/proc/")


def _repository_of(folder: Path) -> Path | None:
    """The surrounding checkout, project or working folder, which a pull request may have filled."""
    around = (folder, *folder.parents)
    here = Path(os.path.realpath(Path.cwd()))
    return next(
        (item for item in around if os.path.lexists(item / ".git")),
        next((item for item in around if is_project(item)), here if here in around else None),
    )


def write_wholly(path: Path, text: str, *, like: Path | None = None, public: bool = False) -> None:
    """Replace a file atomically, readable by its owner alone.

    ``like`` copies owner, group and mode from another file; ``public`` uses the default mode of
    a new file. A device or pipe is written to directly. A lone surrogate, as in a file's name
    that is not UTF-8, is written as an escape. Raises OSError, leaving the old file untouched
    and no temporary file behind. Raises ReconcilerError as :func:`refuse_escape`.
    """
    write_pieces(path, (text,), like=like, public=public)


def write_pieces(
    path: Path, pieces: Iterable[str], *, like: Path | None = None, public: bool = False
) -> None:
    """Replace a file like :func:`write_wholly`, one piece at a time.

    If producing a piece raises, the old file stays untouched.
    """
    refuse_escape(path)
    if path.exists() and not path.is_file():
        with path.open("w", encoding="utf-8", errors="backslashreplace") as stream:
            stream.writelines(pieces)
        return
    with deferred():  # a signal between creating and naming the file would leave it behind
        _replace(path.resolve(), pieces, like=like, public=public)


def _replace(path: Path, pieces: Iterable[str], *, like: Path | None, public: bool) -> None:
    with draft_of(path) as draft:
        data = (piece.encode("utf-8", "backslashreplace") for piece in pieces)
        _fill(draft, data, like=like, public=public)
        draft.replace(path)


def create_wholly(path: Path, text: str) -> None:
    """Create a file with all of a text, or no file at all. Creates its folder if missing.

    Raises ReconcilerError if it exists, if it cannot be written, or as :func:`refuse_escape`.
    """
    refuse_escape(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Reserve the name first, so that a file created meanwhile is not overwritten.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        try:
            write_wholly(path, text, public=True)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise unwritable(path, error) from error


def unwritable(path: Path, error: OSError) -> ReconcilerError:
    """The error for a file that could not be written: why, and what to do."""
    fault = disk_fault(error, path)
    return ReconcilerError(f"{path} cannot be written: {fault.reason}", hint=fault.remedy)


class Replacement(Struct, frozen=True):
    """The old and new contents of a file; ``path`` contains no links."""

    path: Path
    before: bytes
    after: bytes


def replace_all(files: Sequence[Replacement]) -> None:
    """Replace the contents of several files, which keep owner, group and mode: all of them, or none.

    Everything, the backups included, is on disk before the first file is replaced. Raises
    ReconcilerError if a file cannot be written or does not hold what it should.
    """
    with deferred():
        _replace_all(files)


def _replace_all(files: Sequence[Replacement]) -> None:
    replaced: list[tuple[Path, Path]] = []
    path = None
    with ExitStack() as drafts:
        try:
            staged = []
            for item in files:
                path = item.path
                _refuse_changed(item)
                new, old = (drafts.enter_context(draft_of(path)) for _ in range(2))
                _fill(new, (item.after,), like=path)
                _fill(old, (item.before,), like=path)
                staged.append((path, new, old))
            for path, new, old in staged:
                replaced.append((path, old))
                new.replace(path)
        except BaseException as error:
            for path_before, old in replaced:
                old.replace(path_before)
            if isinstance(error, OSError):
                fault = disk_fault(error, path)
                raise ReconcilerError(
                    f"{path} cannot be written: {fault.reason}",
                    hint=f"Nothing was changed. {fault.remedy}",
                ) from error
            raise


def _refuse_changed(item: Replacement) -> None:
    refuse_escape(item.path)
    if item.path.read_bytes() != item.before:
        raise ReconcilerError(
            f"{item.path} was changed by another program in the meantime",
            hint="Nothing was changed. Run it again.",
        )


def _fill(draft: Path, pieces: Iterable[bytes], *, like: Path | None, public: bool = False) -> None:
    """Write the new contents next to a file, with the owner, group and mode of ``like``."""
    with os.fdopen(_create(draft, public=public), "wb") as stream:
        stream.writelines(pieces)
        stream.flush()
        os.fsync(stream.fileno())
        if like is not None:
            status = like.stat()
            os.fchown(stream.fileno(), status.st_uid, status.st_gid)
            os.fchmod(stream.fileno(), stat.S_IMODE(status.st_mode))
    remove_abandoned(draft)


def _create(draft: Path, *, public: bool) -> int:
    # The kernel applies the umask.
    return os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if public else 0o600)


def refuse_unwritable(path: Path) -> None:
    """Raise ReconcilerError, as :func:`refuse_escape`, or if a file could not be written there now.

    Creates nothing, so a disk may still fill up later.
    """
    refuse_escape(path)
    hint = "Name a file in a folder that you may write to."
    if path.is_dir():
        raise ReconcilerError(f"{path} is a folder, so nothing can be written to it", hint=hint)
    if path.exists() and not path.is_file():
        return
    around = Path(os.path.realpath(path)).parents
    nearest = next(item for item in around if os.path.lexists(item))
    if hasattr(os, "statvfs") and os.statvfs(nearest).f_flag & os.ST_RDONLY:
        raise unwritable(path, OSError(errno.EROFS, os.strerror(errno.EROFS)))
    if not nearest.is_dir():
        raise ReconcilerError(f"{path} cannot be written: {nearest} is not a folder", hint=hint)
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise ReconcilerError(
            f"{path} cannot be written: you may not write to {nearest}", hint=hint
        )


def read_wholly(path: Path, *, hint: str = "", largest: tuple[int, str] | None = None) -> bytes:
    """Read a regular file; ``largest`` is its maximum size in octets, and its kind for the message.

    Raises ReconcilerError, with ``hint``, for a file of another kind, one that is larger, or one
    that cannot be read.
    """
    with opened(path, hint=hint) as descriptor:
        if largest is not None and os.fstat(descriptor).st_size > largest[0]:
            raise ReconcilerError(f"{path} is too large to be {largest[1]}", hint=hint)
        try:
            with open(descriptor, "rb", closefd=False) as stream:
                return stream.read()
        except OSError as error:
            raise unreadable(path, error, hint=hint) from error


@contextmanager
def opened(path: Path, *, hint: str = "") -> Iterator[int]:
    """Open a regular file for reading and return its descriptor.

    Raises ReconcilerError, with ``hint``.
    """
    try:
        # Opening a pipe, or reading a pipe or device, could block forever.
        if not stat.S_ISREG(path.stat().st_mode):
            raise ReconcilerError(f"{path} is not a regular file", hint=hint)
        descriptor = os.open(path, os.O_RDONLY)
    except ValueError as error:  # a name with a NUL in it
        raise ReconcilerError(f"{path} cannot be read: the name is not valid", hint=hint) from error
    except OSError as error:
        raise unreadable(path, error, hint=hint) from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def unreadable(path: Path, error: OSError, *, hint: str = "") -> ReconcilerError:
    """The error for a file that could not be read: why, and what to do."""
    fault = disk_fault(error, path)
    return ReconcilerError(f"{path} cannot be read: {fault.reason}", hint=hint or fault.remedy)
