"""Writing a file so that it is there whole or not at all, whatever happens in between."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path


def write_wholly(path: Path, text: str, *, like: Path | None = None) -> None:
    """Put a text in the place of a file, readable by its owner alone.

    With ``like``, owner, group and mode are those of that file. A link stays, and what it leads to is
    replaced; what is there and is no file (a device, a pipe) is written to as it is. Raises OSError; then
    the file is as it was, and nothing is left beside it.
    """
    path = path.resolve()
    if path.exists() and not path.is_file():
        path.write_text(text, encoding="utf-8")
        return
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
            if like is not None:
                status = like.stat()
                os.fchown(stream.fileno(), status.st_uid, status.st_gid)
                os.fchmod(stream.fileno(), stat.S_IMODE(status.st_mode))
        Path(temporary).replace(path)
    except BaseException:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise
