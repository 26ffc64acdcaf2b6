"""Writing a file so that it is there whole or not at all, whatever happens in between."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path


def write_wholly(path: Path, text: str, *, like: Path | None = None) -> None:
    """Put a text in the place of a file, readable by its owner alone, or by those who may read ``like``.

    Raises OSError; then the file is as it was, and nothing is left beside it.
    """
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
            stream.write(text)
        if like is not None:
            shutil.copymode(like, temporary)
        Path(temporary).replace(path)
    except BaseException:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise
