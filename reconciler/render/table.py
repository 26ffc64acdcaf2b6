"""Tables of text: columns as wide as their widest cell, cut to the width there is."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def width_of(text: str) -> int:
    """The columns that a text takes on a terminal: wide characters two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def clip(text: str, width: int) -> str:
    """Cut a text to ``width`` columns, with an ellipsis where something is gone."""
    if width_of(text) <= width:
        return text
    cut = text
    while cut and width_of(cut) > width - 1:
        cut = cut[:-1]
    return cut + "…"


def pad(text: str, width: int) -> str:
    """Fill a text with blanks to ``width`` columns."""
    return text + " " * max(0, width - width_of(text))


def table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]], width: int) -> list[str]:
    """Lay out rows under a header, two blanks apart; the last column gives way if it gets narrow."""
    widths = [max(width_of(row[i]) for row in [header, *rows]) for i in range(len(header))]
    rest = width - sum(widths[:-1]) - 2 * (len(widths) - 1)
    widths[-1] = max(width_of(header[-1]), min(widths[-1], rest))
    lines = []
    for row in [header, *rows]:
        cells = [pad(cell, widths[i]) for i, cell in enumerate(row[:-1])]
        lines.append("  ".join([*cells, clip(row[-1], widths[-1])]).rstrip())
    return lines
