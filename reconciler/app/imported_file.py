"""JSON files from elsewhere: saved plans, reports of shards, exports of a state."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from reconciler.app.atomic_file import opened, read_wholly, unreadable
from reconciler.errors import ReconcilerError, UsageError
from reconciler.json_values import TooLarge, unstorable, whole_number

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.model.resource import JSON


def read_json(path: Path, *, hint: str = "", largest: tuple[int, str] | None = None) -> bytes:
    """Read a JSON file, accepting only texts and numbers that can be stored and shown everywhere.

    Raises UsageError for bytes that are not UTF-8, NULs, lone surrogates, and whole numbers of
    more than 64 bits; ReconcilerError as `read_wholly` does. A file that is not JSON is
    returned as it is: the caller says what was expected.
    """
    octets = read_wholly(path, hint=hint, largest=largest)
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{path} is not UTF-8: the byte at offset {error.start} belongs to no character",
            hint=hint,
        ) from None
    try:
        value: JSON = json.loads(text, parse_int=whole_number)
    except TooLarge:
        raise UsageError(f"{path} holds a number of more than 64 bits", hint=hint) from None
    except (ValueError, RecursionError):
        return octets
    if what := unstorable(value):
        raise UsageError(f"{path} holds {what} in a text", hint=hint)
    return octets


class ImportedFile:
    """Implements :class:`reconciler.state.json_stream.Octets` for an open, unchanging file."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.name = str(path)
        self._path = path
        self._descriptor = descriptor
        self._version = self._now()

    def read(self, at: int, size: int) -> bytes:
        """Read a number of octets at an offset, fewer only at the end; raises ReconcilerError."""
        parts: list[bytes] = []
        try:
            while size > 0 and (part := os.pread(self._descriptor, size, at)):
                parts.append(part)
                at, size = at + len(part), size - len(part)
        except OSError as error:
            raise unreadable(self._path, error) from error
        if self._now() != self._version:
            raise ReconcilerError(
                f"{self._path} was changed by another program in the meantime",
                hint="Nothing was written. Run it again.",
            )
        return b"".join(parts)

    def _now(self) -> tuple[int, int]:
        found = os.fstat(self._descriptor)
        return found.st_mtime_ns, found.st_size


@contextmanager
def imported_file(path: Path) -> Iterator[ImportedFile]:
    """Open a file to read it piece by piece; raises ReconcilerError as `read_wholly` does."""
    with opened(path) as descriptor:
        yield ImportedFile(path, descriptor)
