"""Recognises formatted text in the common form of YAML from its lines alone.

Nearly every file that ``fmt --check`` examines is formatted.
:mod:`reconciler.config.formatting` would read, write and compare it, which takes many times as
long. It returns a text that passes here unchanged; in doubt, the answer is no, and it decides.
"""

from __future__ import annotations

import re
from typing import Final

WIDTH: Final = 110
"""The column after which a list in brackets is wrapped. Texts are never folded."""

_INDENT: Final = 2
_ENTRY: Final = re.compile(r"( *)(- +|-$)?(?:[A-Za-z_][A-Za-z0-9_-]{0,99}:( +|$))?(.*)")
# Blank lines at either end, trailing blanks, and text that would get quotes.
_UNTIDY: Final = re.compile(r"\r|\A\n|^---\n\n| \n|\n\n\Z|(?<!\n)\Z|[ \[{]\.\.\.", re.MULTILINE)
_QUOTED: Final = re.compile(r"\"[^\"]*\"|'[^']*'")
# Spaces that are removed, and a mapping in a list, whose braces may be removed.
_UNTIDY_FLOW: Final = re.compile(r"  |[\[{] | [\]},]|\[\{|, \{")
_BREAKS: Final = re.compile(r"[,\[{]")
_FIELD: Final = r"[A-Za-z_][A-Za-z0-9_-]{0,39}+:(?: (?:[^\s\[{#][^\n]*+|\[[\w.@-]{1,30}+\]))?+\n"
# A document of fields, whose mappings are at most two deep, as most are; a comment ends its line.
_ORDINARY: Final = re.compile(rf"(?:---\n)?+(?:{_FIELD}(?:  {_FIELD}(?:    {_FIELD})*+)*+)++")


def is_laid_out(text: str) -> bool:
    """Whether formatting a text would change nothing.

    The text must be one that :func:`reconciler.config.plain_yaml.plain_documents` reads.
    """
    if _UNTIDY.search(text):
        return False
    return _ORDINARY.fullmatch(text) is not None or is_outlined(text)


def is_outlined(text: str) -> bool:
    """The same line by line, for a text without untidy blanks."""
    outline = _OpenCollections()
    above = ""
    for line in text.split("\n"):
        found = _ENTRY.fullmatch(line)
        if found is None:
            return False
        blanks, dash, gap, rest = found.groups()
        if gap is not None or dash is not None:
            stays = _entry_stays(dash, gap, rest, line) and outline.takes(
                len(blanks), is_item=dash is not None, is_key=gap is not None
            )
        elif line == "---":
            stays = outline.ends()
        else:
            stays = not line or (
                not _goes_on(above, len(blanks)) and outline.takes_comment(len(blanks))
            )
        if not stays:
            return False
        above = line
    return outline.ends()


class _OpenCollections:
    """The mappings and lists around a line; each is indented by two columns."""

    def __init__(self) -> None:
        self.lists: list[bool] = []  # whether each of them is a list
        self.expected = -1
        """The column of a comment above that is aligned only with the next entry."""

    def takes(self, column: int, *, is_item: bool, is_key: bool) -> bool:
        """Close deeper collections, and open the entry's own; false if it is misplaced."""
        level, odd = divmod(column, _INDENT)
        lists = self.lists
        if odd or level > len(lists) or self.expected not in (-1, column):
            return False
        self.expected = -1
        if level == len(lists):
            lists.append(is_item)
        del lists[level + 1 :]
        if is_item and is_key:
            lists.append(False)  # the mapping that begins beside the dash
        return lists[level] is is_item

    def takes_comment(self, column: int) -> bool:
        """Whether a comment is aligned with one of them, or may be with the next entry."""
        level, odd = divmod(column, _INDENT)
        if level == len(self.lists):
            self.expected = column
        return not odd and level <= len(self.lists)

    def ends(self) -> bool:
        """End the document; false if a comment is aligned with nothing."""
        stays = self.expected <= 0
        self.lists, self.expected = [], -1
        return stays


def _entry_stays(dash: str | None, gap: str | None, rest: str, line: str) -> bool:
    """Whether an entry is written on its line as the formatter writes it."""
    if not rest or rest[0] == "#":
        # The start of a mapping or a list, or an empty value.
        return gap is not None and dash in (None, "- ")
    if dash not in (None, "- ") or gap not in (None, " "):
        return False
    if rest[0] in "[{":
        if gap is None:
            return False  # comments on such an item may be lost
        flow = _QUOTED.sub("_", rest).partition(" #")[0].rstrip(" ")
        return not _UNTIDY_FLOW.search(flow) and not _BREAKS.search(line, WIDTH)
    return True


def _goes_on(above: str, column: int) -> bool:
    """Whether a comment is aligned with a comment at the end of the line above."""
    return above[column : column + 1] == "#" and not (above[:column].isspace() or not column)
