"""Replaces the secret in a file atomically, and only in a file that holds this very secret.

The path may come from a pull request, and the new secret from a server that it names. So nothing is written
through a link that the project could hold, nor into a file of somebody else, nor over anything but a token:
one line of printable ASCII without blanks, which no file of another use consists of.
"""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reconciler.disk_fault import disk_fault
from reconciler.drafts import draft_name, remove_abandoned
from reconciler.file_lock import LockResult, try_lock
from reconciler.secrets.file import fetch, real_path, refusal
from reconciler.secrets.outcome import Flaw

if TYPE_CHECKING:
    from reconciler.secrets.base import Hold, Secret

_TOKEN: Final = re.compile(r"[!-~]{8,16384}")
"""A refresh token (RFC 6749 appendix A.17); a blank would be allowed there, and occurs nowhere."""

_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
_TRIES: Final = 5
"""Times that a file is opened that somebody replaces meanwhile."""

_HINT: Final = "It has to be an ordinary file of yours that nobody else can write to."


def replace(
    target: str, old: Secret | None, new: Secret, *, base: Path, folders: tuple[str, ...] = ()
) -> Flaw | None:
    """Replace ``old`` by a secret, or create a file without it; return why not, or None.

    Mode and owner of the file stay as they are; a new one is readable by its owner alone.
    """
    if _TOKEN.fullmatch(new.reveal()) is None:
        return Flaw(
            "was given something that is not a token", "Look at what the token endpoint answers."
        )
    path = real_path(target, base=base)
    if flaw := refusal(path, folders) or _refuse_links(target, path, base):
        return flaw
    try:
        if old is None:
            return _create(path, new)
        return _over(path, old, new, fetch(target, base=base, folders=folders))
    except OSError as error:
        fault = disk_fault(error, path)
        return Flaw(f"cannot be written: {fault.reason}", fault.remedy)


def hold(target: str, *, base: Path) -> Hold | None:
    """Lock the file against replacement by other processes; None if one of them has locked it.

    Raises OSError where the file system grants no locks: two processes could spend the same token.
    """
    path = real_path(target, base=base)
    for _ in range(_TRIES):
        try:
            held = _Held(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW))
        except OSError:
            return _Held(None)  # fetching it reports the problem
        try:
            result = try_lock(held.number, path)
        except OSError:
            held.close()
            raise
        match result:
            case LockResult.TAKEN:
                return held
            case LockResult.BUSY:
                held.close()
                return None
            case LockResult.REPLACED:
                held.close()
    return None


class _Held:
    """A lock on a file, by its descriptor; None for a file that cannot be locked."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    @property
    def number(self) -> int:
        if self._descriptor is None:
            raise RuntimeError("no file is open")
        return self._descriptor

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def _refuse_links(target: str, path: str, base: Path) -> Flaw | None:
    """Why a path may not be written to: a link in the project may come from a pull request."""
    named = os.path.normpath(base.absolute() / target)
    for top in (os.path.realpath(base), str(base.absolute())):
        if named.startswith(top.rstrip(os.sep) + os.sep):
            straight = os.path.join(os.path.realpath(base), os.path.relpath(named, top))  # noqa: PTH118 - beside realpath
            break
    else:
        straight = os.path.join(os.path.realpath(os.path.dirname(named)), os.path.basename(named))  # noqa: PTH118, PTH119, PTH120 - likewise
    if os.path.normpath(straight) != path:
        return Flaw("is not written to, because a link leads to it", "Name the file itself.")
    return None


def _over(path: str, old: Secret, new: Secret, found: Secret | Flaw) -> Flaw | None:
    if isinstance(found, Flaw):
        return found
    if found != old:
        return Flaw("holds another secret by now", "Fetch it again.")
    if _TOKEN.fullmatch(old.reveal()) is None:
        return Flaw("holds something that is not a token, so it is not written over", _HINT)
    status = os.lstat(path)
    others = status.st_uid != os.geteuid() or status.st_nlink != 1 or status.st_mode & _OTHERS_WRITE
    if others or not stat.S_ISREG(status.st_mode):
        return Flaw("is not written to: others own it or can write to it", _HINT)
    newline = status.st_size > len(old.reveal().encode())
    return _put(path, new, stat.S_IMODE(status.st_mode), newline=newline, instead=True)


def _create(path: str, new: Secret) -> Flaw | None:
    if os.path.lexists(path):
        return Flaw("already exists", "Remove it, or replace its content.")
    return _put(path, new, 0o600, newline=True, instead=False)


def _put(path: str, new: Secret, mode: int, *, newline: bool, instead: bool) -> Flaw | None:
    folder = os.open(Path(path).parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    name = Path(path).name
    temporary = draft_name(name)
    try:
        about = os.fstat(folder)
        shared = about.st_mode & _OTHERS_WRITE and not about.st_mode & stat.S_ISVTX
        if about.st_uid not in (0, os.geteuid()) or shared:
            return Flaw("is in a folder that others own or can write to", _HINT)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            with os.fdopen(os.open(temporary, flags, 0o600, dir_fd=folder), "wb") as stream:
                stream.write(new.reveal().encode() + (b"\n" if newline else b""))
                stream.flush()
                os.fchmod(stream.fileno(), mode)
                os.fsync(stream.fileno())
            remove_abandoned(Path(path).with_name(temporary))
            if instead:
                os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
            else:  # a link fails if another process was faster
                os.link(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
                os.unlink(temporary, dir_fd=folder)
            os.fsync(folder)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary, dir_fd=folder)
            raise
        return None
    finally:
        os.close(folder)
