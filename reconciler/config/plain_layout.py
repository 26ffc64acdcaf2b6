"""Whether a text in the common form of YAML is laid out already, seen from its lines alone.

Nearly every file that ``fmt --check`` looks at is. :mod:`reconciler.config.formatting` would read it, write it
and compare, which takes many times as long. A text that passes here is one that it returns as it is; where
that is not certain, the answer is no, and it decides.
"""

from __future__ import annotations

import re
from typing import Final

WIDTH: Final = 110
"""Columns after which a list between brackets goes on in another line. Texts are never folded."""

_INDENT: Final = 2
_ENTRY: Final = re.compile(r"( *)(- +|-$)?(?:[A-Za-z_][A-Za-z0-9_-]{0,99}:( +|$))?(.*)")
# Blank lines at either end, blanks at the end of a line, and what is written in quotes if it had none.
_UNTIDY: Final = re.compile(r"\r|\A\n|^---\n\n| \n|\n\n\Z|(?<!\n)\Z|[ \[{]\.\.\.", re.MULTILINE)
_QUOTED: Final = re.compile(r"\"[^\"]*\"|'[^']*'")
# Spaces that go, and a mapping in a list, whose braces the formatter may leave out.
_UNTIDY_FLOW: Final = re.compile(r"  |[\[{] | [\]},]|\[\{|, \{")
_BREAKS: Final = re.compile(r"[,\[{]")


def is_laid_out(text: str) -> bool:
    """Whether formatting a text would change nothing.

    The text must be one that :func:`reconciler.config.plain_yaml.plain_documents` reads.
    """
    if _UNTIDY.search(text):
        return False
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
    """The mappings and lists around a line; each begins two columns right of the one around it."""

    def __init__(self) -> None:
        self.lists: list[bool] = []  # whether each of them is a list
        self.expected = -1
        """The column of a comment above that is in line with nothing but the next entry."""

    def takes(self, column: int, *, is_item: bool, is_key: bool) -> bool:
        """Close what is deeper than an entry, and open what it begins; false if it is elsewhere."""
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
        """Whether a comment is in line with one of them, or may be with the next entry."""
        level, odd = divmod(column, _INDENT)
        if level == len(self.lists):
            self.expected = column
        return not odd and level <= len(self.lists)

    def ends(self) -> bool:
        """End the document; false if a comment is in line with nothing."""
        stays = self.expected <= 0
        self.lists, self.expected = [], -1
        return stays


def _entry_stays(dash: str | None, gap: str | None, rest: str, line: str) -> bool:
    """Whether an entry is written on its line as the formatter writes it."""
    if not rest or rest[0] == "#":
        # Where a mapping or a list begins, or nothing is given.
        return gap is not None and dash in (None, "- ")
    if dash not in (None, "- ") or gap not in (None, " "):
        return False
    if rest[0] in "[{":
        if gap is None:
            return False  # not every comment above or beside such an item stays
        flow = _QUOTED.sub("_", rest).partition(" #")[0].rstrip(" ")
        return not _UNTIDY_FLOW.search(flow) and not _BREAKS.search(line, WIDTH)
    return True


def _goes_on(above: str, column: int) -> bool:
    """Whether a comment is in line with one that begins within the line above."""
    return above[column : column + 1] == "#" and not (above[:column].isspace() or not column)
