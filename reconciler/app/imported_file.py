"""JSON files that somebody hands over: saved plans, reports of shards, exports of a state."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from reconciler.app.atomic_file import read_wholly
from reconciler.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.model.resource import JSON

_LARGEST = 2**63 - 1
_DIGITS = len(str(_LARGEST)) + 1
_NO_TEXT = re.compile("[\0\ud800-\udfff]")


def read_json(path: Path, *, hint: str = "", largest: tuple[int, str] | None = None) -> bytes:
    """Read a file whose texts and numbers can be stored, shown and compared everywhere.

    Raises UsageError for bytes that are not UTF-8, NULs, lone surrogates, and whole numbers of more than 64
    bits; ReconcilerError as `read_wholly` does. A file that is not JSON is returned as it is: whoever
    reads it says what it should have been.
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
        value: JSON = json.loads(text, parse_int=_whole_number)
    except _TooLarge:
        raise UsageError(f"{path} holds a number of more than 64 bits", hint=hint) from None
    except (ValueError, RecursionError):
        return octets
    if found := _no_text(value):
        what = "a NUL" if found == "\0" else "half of a character (a lone surrogate)"
        raise UsageError(f"{path} holds {what} in a text", hint=hint)
    return octets


class _TooLarge(ValueError):
    """A whole number that no database keeps."""


def _whole_number(text: str) -> int:
    if len(text) > _DIGITS or not -_LARGEST - 1 <= int(text) <= _LARGEST:
        raise _TooLarge
    return int(text)


def _no_text(value: JSON) -> str:
    """Find the first character that is not one, in keys too; "" if there is none."""
    pending: list[JSON] = [value]
    while pending:
        item = pending.pop()
        match item:
            case str():
                if found := _NO_TEXT.search(item):
                    return found[0]
            case dict():
                pending += item
                pending += item.values()
            case list():
                pending += item
    return ""
