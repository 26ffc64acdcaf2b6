"""Long lists that fit a terminal: continued below where they began."""

from __future__ import annotations

import textwrap

from reconciler.render.table import pad, width_of

_LEAST = 20
"""Columns of text below which wrapping would make it worse."""


def wrapped(head: str, text: str, width: int, *, bare: str | None = None) -> list[str]:
    """``head`` and the text in lines of at most ``width`` columns, if that is possible at all.

    ``bare`` is the head without its colours, where it has any.
    """
    indent = width_of(head if bare is None else bare)
    room = width - indent
    if room < _LEAST or width_of(text) <= room:
        return [(head + text).rstrip()]
    lines = textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False)
    return [(head if not number else pad("", indent)) + line for number, line in enumerate(lines)]
