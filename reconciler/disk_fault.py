"""Why a file cannot be read or written: the system's errors, distinguished here, with remedies.

``docs/apply.md`` describes them. SQLite keeps the system's error to itself, so :func:`look_for_fault` finds it again.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from typing import TYPE_CHECKING, Final

from msgspec import Struct

if TYPE_CHECKING:
    from pathlib import Path


class DiskFault(Struct, frozen=True):
    """``reason`` completes "FILE cannot be written: …", and ``remedy`` is a sentence that says what to do."""

    reason: str
    remedy: str


def disk_fault(error: OSError, path: str | Path | None = None) -> DiskFault:
    """Explain an error; ``path`` is the file that was to be read or written, if its name is known.

    The reason names the disk by its mount point.
    """
    code = error.errno or 0
    if code not in _KNOWN:
        said = error.strerror or str(error) or type(error).__name__
        return DiskFault(said, "Check the path and its permissions.")
    reason, remedy = _KNOWN[code]
    if code == errno.ENOSPC and path is not None:
        if _is_device(path):
            reason, remedy = "the device is full", "Name a file instead."
        elif _has_no_inodes(path):
            reason, remedy = "{disk} has no room for one more file (no free inodes)", _DELETE_FILES
    return DiskFault(
        reason.replace("{disk}", _disk(path)) if "{disk}" in reason else reason, remedy
    )


NO_LOCKS: Final = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
"""The errors of a file system without locks: NFS without a lock service, and some FUSE ones."""

_DELETE_FILES: Final = "Delete files on that disk and run the command again."
_ELSEWHERE: Final = "Choose a place on another disk, one of this machine if possible."
_NOT_SUPPORTED: Final = ("{disk} does not support this: {said}", _ELSEWHERE)

_KNOWN: Final = {
    errno.ENOSPC: ("{disk} is full", "Free some space on that disk and run the command again."),
    errno.EDQUOT: (
        "the quota on {disk} is used up",
        "Delete files of this user on that disk, or have the quota raised (`quota -s` shows it).",
    ),
    errno.EROFS: (
        "{disk} is mounted read-only",
        "Choose a place on another disk, or mount that one for writing.",
    ),
    errno.EACCES: (
        "Permission denied",
        "Give this user the right to do that, or run the command as the user who has it.",
    ),
    errno.EPERM: (
        "the system does not permit it (Operation not permitted)",
        "Check who owns the file, whether it is immutable (`lsattr`), and what a security policy forbids.",
    ),
    errno.ENOLCK: (
        "{disk} grants no locks",
        "Start the lock service of that network file system (NFS), or choose a place on a disk of this machine.",
    ),
    **{
        code: (_NOT_SUPPORTED[0].replace("{said}", os.strerror(code)), _ELSEWHERE)
        for code in (errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
    },
    errno.EIO: (
        "{disk} reports an input/output error",
        "Check that disk, or the server of that network file system; the system's log (`dmesg`) says more.",
    ),
    errno.ESTALE: (
        "{disk} lost the file on its server (stale file handle)",
        "Mount that network file system again, and run the command again.",
    ),
    errno.ENAMETOOLONG: ("the name is too long", "Choose a shorter name or path."),
    errno.EFBIG: (
        "the file would exceed the limit on the size of files",
        "Raise the limit (`ulimit -f`); the file system may have one of its own.",
    ),
    errno.ENOTDIR: (
        "there is a file where a folder should be",
        "Move that file, or choose another path.",
    ),
    errno.EISDIR: ("it is a folder", "Choose another path, or move the folder."),
    errno.EMFILE: (
        "this process has too many files open",
        "Raise the limit (`ulimit -n`) and run the command again.",
    ),
    errno.ENFILE: (
        "the system has too many files open",
        "Run the command again when fewer files are open.",
    ),
}


def look_for_fault(path: Path) -> OSError | None:
    """Find out why the file cannot be read or written, by trying another file next to it.

    Never opens the file itself: closing it would release the locks that SQLite holds on it in this process.
    """
    try:
        import tempfile  # noqa: PLC0415 - only where something failed, which may fail this too

        present = _size(path)
        if os.statvfs(path.parent).f_flag & os.ST_RDONLY:
            return OSError(errno.EROFS, os.strerror(errno.EROFS))
        # Unnamed if the system supports that: nothing is left behind, even by a crash.
        with tempfile.TemporaryFile(dir=path.parent) as file:
            for _ in range(_ROOM):
                file.write(bytes(65536))
            file.flush()
            os.fsync(file.fileno())
            file.seek(max(present, _size(path.with_name(f"{path.name}-wal"))) + 65536)
            file.write(b"\0")  # beyond a limit on the size of files
            file.flush()
            file.truncate(0)
            _lock(file.fileno())
        if present and not os.access(path, os.R_OK | os.W_OK):
            return OSError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        return error
    return None


_ROOM: Final = 4
"""Pieces of 64 KiB: enough for the log of a small revision."""


def look_for_lock_fault(folder: Path) -> OSError | None:
    """Find out whether a file in the folder can be locked; ignores other faults."""
    try:
        import tempfile  # noqa: PLC0415 - as above

        with tempfile.TemporaryFile(dir=folder) as file:
            _lock(file.fileno())
    except OSError as error:
        return error if error.errno in NO_LOCKS else None
    return None


def _lock(descriptor: int) -> None:
    if os.name == "nt":
        return
    import fcntl  # noqa: PLC0415 - only where there is one

    fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _nearest(path: str | Path) -> str:
    """The file itself, or its closest existing parent."""
    at = os.path.realpath(path)
    while not os.path.lexists(at) and os.path.dirname(at) != at:  # noqa: PTH120 - beside realpath
        at = os.path.dirname(at)  # noqa: PTH120 - likewise
    return at


def _disk(path: str | Path | None) -> str:
    if path is None:
        return "the disk"
    try:
        at, mounts = _nearest(path), _mounts()
    except (OSError, ValueError):  # ValueError: a name with a NUL in it
        return "the disk"
    while at not in mounts and not os.path.ismount(at):
        at = os.path.dirname(at)  # noqa: PTH120 - beside realpath
    return f"the disk at {at}"


def _mounts() -> frozenset[str]:
    """The mount points, including bind mounts, which look like ordinary folders."""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123 - a text as all paths here
            # Blanks and the like are written as octal numbers: https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html
            return frozenset(re.sub(r"\\(\d{3})", _octet, line.split()[4]) for line in file)
    except (OSError, IndexError):
        return frozenset()


def _octet(found: re.Match[str]) -> str:
    return chr(int(found[1], 8))


def _is_device(path: str | Path) -> bool:
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - a text may be given
    except (OSError, ValueError):
        return False
    return stat.S_ISCHR(mode) or stat.S_ISBLK(mode)


def _has_no_inodes(path: str | Path) -> bool:
    try:
        found = os.statvfs(_nearest(path))
    except (OSError, ValueError):
        return False
    return found.f_files > 0 and found.f_ffree == 0 and found.f_bavail > 0
