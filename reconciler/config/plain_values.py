"""The values of the common form of YAML: words, quoted texts, and lists and mappings within a line.

:mod:`reconciler.config.plain_yaml` reads the lines that they are on.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final

from reconciler.config.scalars import is_special, resolve

if TYPE_CHECKING:
    from reconciler.model.resource import JSON

MAX_PLAIN_DEPTH: Final = 16
"""The limit on nesting here. The full parser checks its own, higher limit."""

BEYOND_ASCII: Final = "\u00a1-\u1fff\u3001-\ud7ff"
"""The usual characters of other languages, as a part of a pattern's set."""

NAME: Final = r"[A-Za-z_][A-Za-z0-9_-]{0,99}"
KEY: Final = re.compile(rf"({NAME}):(?: +|$)")


def _scalar(beyond: str) -> re.Pattern[str]:
    """A scalar within brackets or braces: quoted or plain."""
    plain = f"A-Za-z0-9_./~+$({beyond}"
    return re.compile(
        rf"""(?:"([^"\\]*)"|'([^']*)')|([{plain}](?:[{plain})@*=<>; -]|:(?=[A-Za-z0-9_./]))*)"""
    )


_SCALAR: Final = _scalar("")


# Tables of all of Unicode take a hundredth of a second to compile, and most files are ASCII.
@cache
def _wide_scalar() -> re.Pattern[str]:
    return _scalar(BEYOND_ASCII)


_LETTERS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_PLAIN_START: Final = _LETTERS | frozenset("0123456789_./~+$(")
_QUOTED: Final = re.compile(r"""(?:"([^"\\]*)"|'([^']*)')(?: +#.*| *)""")
_OPENING: Final = re.compile(r"([\[{]) *")
_WORD: Final = "[A-Za-z_][A-Za-z0-9_.@-]*"
_WORDS: Final = re.compile(rf"\[({_WORD}(?:, {_WORD})*)\]")
"""A list of plain words, like most lists in brackets."""
_ENTRY: Final = rf"{NAME}: \[{_WORD}(?:, {_WORD})*\]"
_ENTRIES: Final = re.compile(rf"{{{_ENTRY}(?:, {_ENTRY})*}}")
"""A mapping to such lists, like the groups and users of most permissions."""
_NEXT: Final = re.compile(r" *(, +|[\]}])")
_REST: Final = re.compile(r" *| +#.*")


class NotPlain(Exception):
    """The text is not in this form."""


def is_word(value: str) -> bool:
    """Whether a value is one plain word, as most are."""
    return value[:1] in _LETTERS and " " not in value and value[-1] != ":" and not is_special(value)


def value_in(rest: str) -> JSON:
    """The value on the rest of a line; raises NotPlain or NumberOutOfReach."""
    first = rest[0]
    if first in _PLAIN_START or first > "\u00a0":
        plain = rest.rstrip(" ") if " #" not in rest else rest.partition(" #")[0].rstrip(" ")
        if plain[-1] == ":" or ": " in plain:
            raise NotPlain
        return resolve(plain)
    if _ENTRIES.fullmatch(rest):
        return _lists(rest)
    if first in "[{":
        value, end = _flow(rest, 0, 0)
        if not _REST.fullmatch(rest, end):
            raise NotPlain
        return value
    quoted = _QUOTED.fullmatch(rest)
    if quoted is None:
        raise NotPlain
    double, single = quoted.groups()
    return single if double is None else double


def _lists(text: str) -> dict[str, JSON]:
    """The value of a mapping to lists of plain words."""
    found: dict[str, JSON] = {}
    for entry in text[1:-2].split("], "):
        key, _, words = entry.partition(": [")
        if key in found or is_special(key):
            raise NotPlain
        found[key] = [resolve(word) for word in words.split(", ")]
    return found


def _flow(text: str, at: int, depth: int) -> tuple[JSON, int]:
    """The value within a line that begins there, and where it ends."""
    opening = _OPENING.match(text, at)
    if opening:
        if depth >= MAX_PLAIN_DEPTH // 2:
            raise NotPlain
        words = _WORDS.match(text, at)
        if words is not None:
            return [resolve(word) for word in words[1].split(", ")], words.end()
        read = _flow_list if opening[1] == "[" else _flow_mapping
        return read(text, opening.end(), depth + 1)
    scalar = (_SCALAR if text.isascii() else _wide_scalar()).match(text, at)
    if scalar is None:
        raise NotPlain
    double, single, plain = scalar.groups()
    if plain is not None:
        return resolve(plain.rstrip(" ")), scalar.end()
    return single if double is None else double, scalar.end()


def _flow_list(text: str, at: int, depth: int) -> tuple[JSON, int]:
    found: list[JSON] = []
    sign, end = _next(text, at) if text.startswith("]", at) else (",", at)
    while sign == ",":
        item, end = _flow(text, end, depth)
        found.append(item)
        sign, end = _next(text, end)
    if sign != "]":
        raise NotPlain
    return found, end


def _flow_mapping(text: str, at: int, depth: int) -> tuple[JSON, int]:
    found: dict[str, JSON] = {}
    sign, end = _next(text, at) if text.startswith("}", at) else (",", at)
    while sign == ",":
        key = KEY.match(text, end)
        if key is None or key[1] in found or is_special(key[1]):
            raise NotPlain
        found[key[1]], end = _flow(text, key.end(), depth)
        sign, end = _next(text, end)
    if sign != "}":
        raise NotPlain
    return found, end


def _next(text: str, at: int) -> tuple[str, int]:
    """The comma or closing bracket there, and where the text after it begins."""
    found = _NEXT.match(text, at)
    if found is None:
        raise NotPlain
    return found[1][0], found.end()
