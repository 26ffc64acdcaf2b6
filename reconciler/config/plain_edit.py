"""Changes values of a document in the common form of YAML, line by line.

A line with an unchanged value is not touched; the others are written as
:mod:`reconciler.config.plain_text` does. The result equals that of ruamel's round trip, at a
tenth of its cost. If that is uncertain, such as for a comment on a changed value,
:mod:`reconciler.config.written_edit` uses ruamel.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from reconciler.config.plain_layout import is_laid_out
from reconciler.config.plain_text import is_plain, plain_entry
from reconciler.config.plain_yaml import plain_documents

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.resource import JSON

_STEP: Final = 2
_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(?=:)")
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
    lines: list[str]

    @property
    def is_in_braces(self) -> bool:
        """Whether its value is, or may be, a mapping in braces."""
        return "{" in self.lines[0]

    @property
    def quote(self) -> str:
        """The quotes around its value, if any."""
        rest = self.lines[0].lstrip(" ")[len(self.name) + 2 :]
        return rest[:1] if rest[:1] in ("'", '"') else ""

    @property
    def has_comment(self) -> bool:
        """Whether there is, or may be, a comment in it; a blank line is treated as one."""
        return any(" #" in line or _is_comment(line) for line in self.lines)


def _is_comment(line: str) -> bool:
    return not line or line.lstrip(" ")[:1] == "#"


def plainly_edited(text: str, value: dict[str, JSON], before: JSON = None) -> str | None:
    """The text of one document with a new value; None if it needs the round trip.

    ``before`` is the old value, if the text is known to be in the common form.
    """
    if not is_laid_out(text) or _RECAST.search(text) or "\n---" in text:
        return None
    if before is None:
        documents = plain_documents(text) or []
        before = documents[0] if len(documents) == 1 else None
    if not isinstance(before, dict):
        return None
    try:
        changed = "".join(_edited(text.split("\n")[:-1], before, value, 0))
    except _LeftToRoundTrip:
        return None
    return changed if plain_documents(changed) == [value] else None


def _edited(
    lines: list[str], before: dict[str, JSON], after: dict[str, JSON], column: int
) -> Iterator[str]:
    """The lines of a mapping with a new value, with their line ends."""
    above, fields = _fields(lines, column)
    if not before or not after or [field.name for field in fields] != list(before):
        raise _LeftToRoundTrip
    yield from (f"{line}\n" for line in above)
    last = above
    for field in fields:
        below_comment = bool(last) and _is_comment(last[-1])
        last = field.lines
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


def _fields(lines: list[str], column: int) -> tuple[list[str], list[_Field]]:
    """The lines above the first field of a mapping, and the fields."""
    above: list[str] = []
    fields: list[_Field] = []
    blanks = " " * column
    for line in lines:
        name = _KEY.match(line, column) if line.startswith(blanks) else None
        if name is not None:
            fields.append(_Field(name[0], [line]))
        elif fields:
            fields[-1].lines.append(line)
        else:
            above.append(line)
    return above, fields


def _field(field: _Field, before: JSON, after: JSON, column: int, *, stays: bool) -> Iterator[str]:
    """The lines of a field with a new value; one that ``stays`` changes only inside."""
    if _same(before, after):
        yield from (f"{line}\n" for line in field.lines)
    elif isinstance(before, dict) and isinstance(after, dict) and len(field.lines) > 1:
        first, *rest = field.lines
        yield f"{first}\n"
        yield from _edited(rest, before, after, column + _STEP)
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
    if type(before) is not type(after):
        return False
    if isinstance(before, dict) and isinstance(after, dict):
        return before.keys() == after.keys() and all(
            _same(item, after[name]) for name, item in before.items()
        )
    if isinstance(before, list) and isinstance(after, list):
        return len(before) == len(after) and all(map(_same, before, after))
    return before == after
