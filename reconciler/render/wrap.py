"""Long lists that fit a terminal: continued below where they began."""

from __future__ import annotations

import textwrap

from reconciler.render.table import pad, width_of

_LEAST = 20
"""Columns of text below which wrapping would make it worse."""


def wrapped(head: str, text: str, width: int) -> list[str]:
    """``head`` and the text in lines of at most ``width`` columns, if that is possible at all."""
    indent = width_of(head)
    room = width - indent
    if room < _LEAST or width_of(text) <= room:
        return [(head + text).rstrip()]
    lines = textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False)
    return [(head if not number else pad("", indent)) + line for number, line in enumerate(lines)]
