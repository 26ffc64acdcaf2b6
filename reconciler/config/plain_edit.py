"""Changes values of a document in the common form of YAML, line by line.

A line with an unchanged value is not touched; the others are written as
:mod:`reconciler.config.plain_text` does. The result equals that of ruamel's round trip, at a
tenth of its cost. If that is uncertain, such as for a comment on a changed value,
:mod:`reconciler.config.written_edit` uses ruamel.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from reconciler.config.plain_layout import is_laid_out
from reconciler.config.plain_text import is_plain, plain_entry
from reconciler.config.plain_values import MAX_PLAIN_DEPTH
from reconciler.config.plain_yaml import plain_documents

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reconciler.model.resource import JSON

    Read = Callable[[str], list[JSON] | None]

_STEP: Final = 2
# Where a field of a mapping begins, by the column of the mapping.
_FIELD_STARTS: Final = tuple(
    re.compile(rf"^ {{{column}}}(?=[A-Za-z_][A-Za-z0-9_-]*:)", re.MULTILINE)
    for column in range(0, MAX_PLAIN_DEPTH * _STEP, _STEP)
)
_COMMENT: Final = re.compile(r" #|^ *(?:#|\n)", re.MULTILINE)
"""What is, or may be, a comment; a blank line is treated as one."""
# Numbers, dates and words that a round trip may write differently, such as 0x1F and TRUE.
_RECAST: Final = re.compile(
    r"(?:: |- |[\[{]|, )"
    r"(?:(?!(?:0|-?[1-9][0-9]{0,14})(?:[,\]} ]|$))[-+.~0-9]|(?:True|TRUE|False|FALSE|null|Null|NULL)\b)",
    re.MULTILINE,
)


class _LeftToRoundTrip(Exception):
    """A change that a round trip may make differently."""


class _Field(Struct, frozen=True):
    """One field of a mapping: its name, and its lines, up to the next field."""

    name: str
    text: str

    @property
    def first_line(self) -> str:
        """The line with the name."""
        return self.text[: self.text.index("\n") + 1]

    @property
    def is_in_braces(self) -> bool:
        """Whether its value is, or may be, a mapping in braces."""
        return "{" in self.first_line

    @property
    def quote(self) -> str:
        """The quotes around its value, if any."""
        rest = self.first_line.lstrip(" ")[len(self.name) + 2 :]
        return rest[:1] if rest[:1] in ("'", '"') else ""

    @property
    def has_comment(self) -> bool:
        """Whether there is, or may be, a comment in it."""
        return _COMMENT.search(self.text) is not None


def plainly_edited(
    text: str, value: dict[str, JSON], before: JSON = None, *, read: Read = plain_documents
) -> str | None:
    """The text of one document with a new value; None if it needs the round trip.

    ``before`` is the old value, if the text is known to be in the common form. ``read`` reads texts
    like :func:`reconciler.config.plain_yaml.plain_documents`.
    """
    if not is_laid_out(text) or _RECAST.search(text) or "\n---" in text:
        return None
    if before is None:
        documents = read(text) or []
        before = documents[0] if len(documents) == 1 else None
    if not isinstance(before, dict):
        return None
    try:
        changed = "".join(_edited(text, before, value, 0))
    except _LeftToRoundTrip:
        return None
    return changed if read(changed) == [value] else None


def _edited(
    text: str, before: dict[str, JSON], after: dict[str, JSON], column: int
) -> Iterator[str]:
    """The text of a mapping with a new value, in parts."""
    above, fields = _fields(text, column)
    if not before or not after or [field.name for field in fields] != list(before):
        raise _LeftToRoundTrip
    yield above
    last = above
    for field in fields:
        below_comment = _ends_with_comment(last)
        last = field.text
        if field.name in after:
            yield from _field(
                field, before[field.name], after[field.name], column, stays=below_comment
            )
        elif below_comment or field.has_comment:
            raise _LeftToRoundTrip
    added = [name for name in after if name not in before]
    if added and fields[-1].has_comment:
        raise _LeftToRoundTrip
    for name in added:
        # Write a new mapping in braces if its siblings are.
        if isinstance(after[name], dict) and any(field.is_in_braces for field in fields):
            raise _LeftToRoundTrip
        yield _new(name, after[name], column)


def _ends_with_comment(text: str) -> bool:
    """Whether the last line of a text is a comment, or blank."""
    last = text[text.rfind("\n", 0, -1) + 1 :]
    return last.lstrip(" ")[:1] in ("#", "\n")


def _fields(text: str, column: int) -> tuple[str, list[_Field]]:
    """The text above the first field of a mapping, and the fields."""
    starts = [found.start() for found in _FIELD_STARTS[column // _STEP].finditer(text)]
    parts = [text[start:end] for start, end in pairwise([0, *starts, len(text)])]
    above, *fields = parts
    return above, [_Field(part[column : part.index(":")], part) for part in fields]


def _field(field: _Field, before: JSON, after: JSON, column: int, *, stays: bool) -> Iterator[str]:
    """The lines of a field with a new value; one that ``stays`` changes only inside."""
    if _same(before, after):
        yield field.text
        return
    first, below = field.first_line, field.text[len(field.first_line) :]
    if isinstance(before, dict) and isinstance(after, dict) and below:
        yield first
        yield from _edited(below, before, after, column + _STEP)
    elif stays or isinstance(before, dict) or before == after or field.has_comment:
        raise _LeftToRoundTrip
    elif isinstance(after, str) and "${" in after and not is_plain(after):
        raise _LeftToRoundTrip  # quotes depend on the old text
    else:
        new, quote = _new(field.name, after, column), field.quote
        if quote and isinstance(after, str) and is_plain(after):
            new = new.replace(f": {after}", f": {quote}{after}{quote}")  # like the old text
        yield new


def _new(name: str, value: JSON, column: int) -> str:
    text = plain_entry(name, value, " " * column)
    if text is None:
        raise _LeftToRoundTrip
    return text


def _same(before: JSON, after: JSON) -> bool:
    """Whether two values are equal and of the same types: to Python, 1 is true."""
    if before is after:
        return True
    if type(before) is not type(after):
        return False
    if isinstance(before, dict) and isinstance(after, dict):
        return before.keys() == after.keys() and all(
            _same(item, after[name]) for name, item in before.items()
        )
    if isinstance(before, list) and isinstance(after, list):
        return len(before) == len(after) and all(map(_same, before, after))
    return before == after
