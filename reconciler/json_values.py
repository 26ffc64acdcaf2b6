"""Limits on JSON values, so that they can be stored, shown and compared everywhere."""

from __future__ import annotations

import re
from typing import Final

_LARGEST: Final = 2**63 - 1
_DIGITS: Final = len(str(_LARGEST)) + 1
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")


class TooLarge(ValueError):
    """An integer that no database can store."""


def whole_number(text: str) -> int:
    """Read an integer, as ``parse_int`` of :mod:`json`; raises TooLarge beyond 64 bits."""
    if len(text) > _DIGITS or not -_LARGEST - 1 <= int(text) <= _LARGEST:
        raise TooLarge
    return int(text)


def unstorable(value: object) -> str:
    """Name the first character in a JSON value, keys included, that no database can store; or ""."""
    pending = [value]
    while pending:
        item = pending.pop()
        match item:
            case str():
                if found := _UNSTORABLE.search(item):
                    return "a NUL" if found[0] == "\0" else "half of a character (a lone surrogate)"
            case dict():
                pending += item
                pending += item.values()
            case list():
                pending += item
    return ""
