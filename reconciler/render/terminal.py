"""Text on a terminal: colour, width, wrapping, tables, and escaping of invisible characters."""

from __future__ import annotations

import textwrap
import unicodedata
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

_RESET = "\033[0m"


class Style(Struct, frozen=True):
    """The style of text. ``width`` is the number of columns of the terminal or log."""

    colour: bool = False
    width: int = 100

    def added(self, text: str) -> str:
        """Green, for additions."""
        return self._paint("32", text)

    def changed(self, text: str) -> str:
        """Yellow, for changes."""
        return self._paint("33", text)

    def removed(self, text: str) -> str:
        """Red, for deletions and failures."""
        return self._paint("31", text)

    def strong(self, text: str) -> str:
        """Bold, for headings."""
        return self._paint("1", text)

    def faint(self, text: str) -> str:
        """Dim, for less important text."""
        return self._paint("2", text)

    def mark(self, symbol: str) -> str:
        """One of the symbols of a plan, in its colour."""
        paint = {"+": self.added, "~": self.changed, "-": self.removed, "!": self.removed}
        return paint[symbol](symbol) if symbol in paint else symbol

    def _paint(self, code: str, text: str) -> str:
        return f"\033[{code}m{text}{_RESET}" if self.colour and text else text


PLAIN = Style()


_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_JOINERS = "\u200c\u200d"  # part of how Persian and some emoji are written
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Characters that are invisible although Unicode does not class them as format characters."""

_VARIATIONS = (range(0xFE00, 0xFE0F), range(0xE0100, 0xE01F0))
"""Variation selectors, except the one for emoji presentation."""


def visible(text: str) -> str:
    r"""Write control characters, marks of direction and the like as ``\u202e``.

    Documents contain none, but names of actors, notes and replies of servers come from elsewhere.
    Characters that move the cursor or reverse text could falsify a plan.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        char if char in _JOINERS and _joins(text, place) else _escaped(char)
        for place, char in enumerate(text)
    )


def _joins(text: str, place: int) -> bool:
    """Whether a position lies between characters of a script that uses joiners."""
    around = text[max(0, place - 1) : place] + text[place + 1 : place + 2]
    return len(around) == 2 and all(ord(char) > _LATIN_END for char in around)  # noqa: PLR2004 - one on each side


_LATIN_END = 0x058F
"""The last character of the alphabets (Latin, Greek, Cyrillic, Armenian) that do not use joiners."""


def _escaped(char: str) -> str:
    hidden = (
        unicodedata.category(char) in _HIDDEN
        or char in _BLANK
        or any(ord(char) in variations for variations in _VARIATIONS)
    )
    if not hidden:
        return char
    return f"\\u{ord(char):04x}" if ord(char) <= 0xFFFF else f"\\U{ord(char):08x}"  # noqa: PLR2004 - where \u ends


_NO_WIDTH = frozenset({"Mn", "Me", "Cf"})
_JOINER = "\u200d"
_AS_EMOJI = "\ufe0f"


def width_of(text: str) -> int:
    """The columns that a text takes on a terminal: wide characters two, combining ones none.

    An emoji of several characters counts once.
    """
    if text.isascii():
        return len(text)
    return sum(columns for _, columns in _clusters(text))


def _clusters(text: str) -> Iterator[tuple[str, int]]:
    """What a terminal shows as one character, and the columns that it takes.

    Marks, joined emoji and skin tones belong to the preceding character (UAX #29, simplified).
    """
    cluster, columns = "", 0
    for char in text:
        if cluster and (cluster[-1] == _JOINER or _goes_along(char)):
            cluster += char
            columns = 2 if char == _AS_EMOJI else columns
            continue
        if cluster:
            yield cluster, columns
        cluster, columns = char, _columns(char)
    if cluster:
        yield cluster, columns


def _goes_along(char: str) -> bool:
    return unicodedata.category(char) in _NO_WIDTH or "\U0001f3fb" <= char <= "\U0001f3ff"


def _columns(char: str) -> int:
    if unicodedata.category(char) in _NO_WIDTH:
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def clip(text: str, width: int) -> str:
    """Cut a text to ``width`` columns, with an ellipsis if it was longer."""
    if width_of(text) <= width:
        return text
    cut, room = "", width - 1
    for cluster, columns in _clusters(text):
        room -= columns
        if room < 0:
            break
        cut += cluster
    return cut + "…"


def pad(text: str, width: int) -> str:
    """Pad a text with blanks to ``width`` columns."""
    return text + " " * max(0, width - width_of(text))


_NARROWEST_TEXT = 20
"""The width of text below which wrapping makes it worse."""


def wrapped(head: str, text: str, width: int, *, bare: str | None = None) -> list[str]:
    """``head`` and the text in lines of at most ``width`` columns, if that is possible at all.

    ``bare`` is the head without its colours, where it has any.
    """
    indent = width_of(head if bare is None else bare)
    room = width - indent
    if room < _NARROWEST_TEXT or width_of(text) <= room:
        return [(head + text).rstrip()]
    lines = textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False)
    return [(head if not number else pad("", indent)) + line for number, line in enumerate(lines)]


_NARROWEST_COLUMN = 8
"""The smallest width of a column; less of a cell would be unreadable."""


def natural_width(rows: Sequence[tuple[str, ...]]) -> int:
    """The widths of the columns if nothing is cut."""
    return _whole(_widths(rows))


def table(
    header: tuple[str, ...],
    rows: Sequence[tuple[str, ...]],
    width: int,
    *,
    gives: tuple[int, ...] = (-1,),
) -> list[str]:
    """Lay out rows under a header, two blanks apart.

    Where that is wider than ``width``, the columns of ``gives`` are cut, one after the other.
    """
    shown = [header, *(tuple(visible(cell) for cell in row) for row in rows)]
    widths = _widths(shown)
    for column in gives:
        least = max(_NARROWEST_COLUMN, width_of(header[column]))
        widths[column] -= max(0, min(_whole(widths) - width, widths[column] - least))
    return [
        "  ".join(
            pad(clip(cell, room), room) for cell, room in zip(row, widths, strict=True)
        ).rstrip()
        for row in shown
    ]


def _widths(rows: Sequence[tuple[str, ...]]) -> list[int]:
    return [max(width_of(cell) for cell in column) for column in zip(*rows, strict=True)]


def _whole(widths: list[int]) -> int:
    return sum(widths) + 2 * (len(widths) - 1)


def instant(when: datetime) -> str:
    """An instant for machines (ISO 8601, UTC)."""
    return when.isoformat(timespec="seconds")


def minute(when: datetime) -> str:
    """An instant for people, to the minute, in UTC."""
    return when.strftime("%Y-%m-%d %H:%M")
