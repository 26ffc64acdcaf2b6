"""Markdown in which no value can end its cell, block or tag."""

from __future__ import annotations

import re
from html import escape as escape_html
from typing import TYPE_CHECKING

from reconciler.render.terminal import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_LEAST_FENCE = 3
_SAFE = r"[\w.@+:/=,;()%*'\"#~?!^-]"
_PLAIN_CODE = re.compile(rf"{_SAFE}+(?: {_SAFE}+)*")
"""Text that is safe inside single backticks, even in a table."""

_REFERENCE = re.compile(r"(?<!\w)@|#(?=\d)|!(?=\d)")
"""The start of a mention, an issue or a merge request, which GitHub and GitLab turn into links."""

_STARTS_A_BLOCK = re.compile(r"^(\s*\d*)([-+=.)])")
"""What would begin a list, or make a heading of the line before, at the start of a line."""


def escape(text: str) -> str:
    """Text in which no character is Markdown syntax, and that notifies nobody."""
    shown = visible(text)
    pieces, place = [], 0
    for found in _REFERENCE.finditer(shown):
        pieces += [_escaped(shown[place : found.start()]), f"`{found[0]}`"]
        place = found.end()
    return _STARTS_A_BLOCK.sub(r"\1\\\2", "".join([*pieces, _escaped(shown[place:])]))


def _escaped(text: str) -> str:
    return "".join(f"\\{char}" if char in "\\`*_{}[]<>#|~&" else char for char in text)


def code(text: str) -> str:
    """A value from a field, for a sentence or a cell of a table; "" stays empty."""
    shown = visible(text)
    if not shown:
        return ""
    if _PLAIN_CODE.fullmatch(shown):
        return f"`{shown}`"
    return f"<code>{entities(shown)}</code>"


def entities(text: str) -> str:
    """Text with every symbol as a character reference, so that none is Markdown or HTML syntax."""
    return "".join(
        f"&#{ord(char)};" if char.isascii() and not char.isalnum() and char != " " else char
        for char in visible(text)
    )


def folded(title: str, body: str) -> str:
    """A block that opens on a click; ``title`` is plain text, ``body`` is Markdown."""
    title = escape_html(visible(title))
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"


def fenced(body: str, language: str = "") -> str:
    """A block of code, with a fence that does not occur in it."""
    longest = max((len(run) for run in re.findall("`+", body)), default=0)
    fence = "`" * max(_LEAST_FENCE, longest + 1)
    return f"{fence}{language}\n{body}\n{fence}"


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; its cells are Markdown, made by `code` or `escape`."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def as_diff(text: str) -> str:
    """The changes of a plan as a block in the colours of a diff, by the first character of each line."""
    lines = []
    for line in text.splitlines():
        bare = line.lstrip()
        symbol = bare[:1]
        if symbol in {"+", "-"}:
            lines.append(symbol + line.replace(symbol, " ", 1))
        elif symbol == "~":
            lines.append("!" + line.replace(symbol, " ", 1))
        else:
            lines.append(f" {line}" if line else "")
    return fenced("\n".join(lines), "diff")
