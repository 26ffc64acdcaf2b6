"""Tables of text: columns as wide as their widest cell, cut to the width there is."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from reconciler.render.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_NO_WIDTH = frozenset({"Mn", "Me", "Cf"})
_JOINER = "\u200d"
_AS_EMOJI = "\ufe0f"
_LEAST = 8
"""No column gets narrower than this, since what is left of a cell would say nothing."""


def width_of(text: str) -> int:
    """The columns that a text takes on a terminal: wide characters two, combining ones none.

    An emoji that is put together of several characters counts once.
    """
    if text.isascii():
        return len(text)
    return sum(columns for _, columns in _clusters(text))


def _clusters(text: str) -> Iterator[tuple[str, int]]:
    """What a terminal shows as one character, and the columns that it takes.

    Marks, joined emoji and shades of skin belong to what stands before them (UAX #29, in short).
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
    """Cut a text to ``width`` columns, with an ellipsis where something is gone."""
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
    """Fill a text with blanks to ``width`` columns."""
    return text + " " * max(0, width - width_of(text))


def natural_width(rows: Sequence[tuple[str, ...]]) -> int:
    """The columns that rows take if nothing is cut."""
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
        least = max(_LEAST, width_of(header[column]))
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
