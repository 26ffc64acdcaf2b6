"""Text that shows everything it holds: no character of it works on the terminal or hides."""

from __future__ import annotations

import unicodedata

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_JOINERS = "\u200c\u200d"  # part of how Persian and some emoji are written


def visible(text: str) -> str:
    r"""Write control characters, marks of direction and the like as ``\u202e``.

    Documents hold none, but names of actors, notes and answers of servers come from elsewhere; and
    what moves a cursor or turns text around would make a plan say what it does not.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(char) for char in text)


def _escaped(char: str) -> str:
    if char in _JOINERS or unicodedata.category(char) not in _HIDDEN:
        return char
    return f"\\u{ord(char):04x}" if ord(char) <= 0xFFFF else f"\\U{ord(char):08x}"  # noqa: PLR2004 - where \u ends
