"""The plain text of an HTML mail."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_HIDDEN = frozenset({"head", "script", "style", "template", "title"})
_BLOCKS = frozenset({
    "address", "article", "aside", "blockquote", "dd", "div", "dl", "dt", "fieldset",
    "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li",
    "main", "nav", "ol", "p", "pre", "section", "table", "tr", "ul",
})  # fmt: skip
_APART = frozenset({
    "blockquote", "dl", "figure", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "ol", "p",
    "pre", "table", "ul",
})  # fmt: skip


def text_of(html: str) -> str:
    """The text of the HTML: paragraphs, list items and links, without formatting."""
    reader = _TextExtractor()
    reader.feed(html)
    reader.close()
    return reader.text


class _TextExtractor(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._parts: list[str] = []
        self._hidden = 0
        self._verbatim = 0
        self._links: list[tuple[str, int]] = []

    @property
    def text(self) -> str:
        """Everything so far, with no more than one empty line in a row."""
        lines = [line.rstrip(" ") for line in "".join(self._parts).split("\n")]
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin an element."""
        values = {name: value or "" for name, value in attrs}
        if tag in _HIDDEN:
            self._hidden += 1
        elif tag == "br":
            self._parts.append("\n")
        elif tag == "img" and not self._hidden and values.get("alt"):
            self._say(values["alt"])
        elif tag in _BLOCKS:
            self._break(2 if tag in _APART else 1)
            self._verbatim += tag == "pre"
            if tag == "li":
                self._parts.append("- ")
        elif tag in ("td", "th"):
            self._say(" ")
        elif tag == "a":
            self._links.append((values.get("href", ""), len(self._parts)))

    def handle_endtag(self, tag: str) -> None:
        """End an element."""
        if tag in _HIDDEN:
            self._hidden = max(0, self._hidden - 1)
        elif tag in _BLOCKS:
            self._verbatim = max(0, self._verbatim - (tag == "pre"))
            self._break(2 if tag in _APART else 1)
        elif tag == "a" and self._links:
            address, start = self._links.pop()
            shown = "".join(self._parts[start:]).strip()
            bare = address.removeprefix("mailto:")
            if bare and not bare.startswith("#") and bare not in shown:
                self._say(f" ({bare})")

    def handle_data(self, data: str) -> None:
        """Add text."""
        if not self._hidden:
            self._say(data if self._verbatim else re.sub(r"\s+", " ", data))

    def _say(self, text: str) -> None:
        if text.startswith(" ") and not self._verbatim and self._ends_in(" ", "\n"):
            text = text[1:]
        if text:
            self._parts.append(text)

    def _break(self, lines: int) -> None:
        while self._parts and self._parts[-1] == " ":
            self._parts.pop()
        if self._parts and self._parts[-1] != "- ":
            there = len(self._parts[-1]) - len(self._parts[-1].rstrip("\n"))
            self._parts.append("\n" * max(0, lines - there))

    def _ends_in(self, *ends: str) -> bool:
        return not self._parts or self._parts[-1].endswith(ends)
