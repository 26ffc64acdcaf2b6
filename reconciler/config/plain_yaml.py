"""A fast reader for the common form of YAML: mappings and lists of values that fit on one line.

Nearly all configurations use this form alone, and reading it takes a tenth of the time of a
full YAML parser. Anything else, however slight, is left to :mod:`reconciler.config.compose`,
which interprets or rejects it. So nothing is reported here, and values equal those of the full
parser. Positions are needed only for reports, so only then does that parser read the file too.
"""

from __future__ import annotations

import re
from functools import cache, cached_property, lru_cache, partial
from sys import intern
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from reconciler.config.plain_values import (
    BEYOND_ASCII,
    KEY,
    MAX_PLAIN_DEPTH,
    NAME,
    NotPlain,
    is_word,
    value_in,
)
from reconciler.config.positions import Positions
from reconciler.config.raw import MAX_FOR_REFERENCE, Composed, RawDocument
from reconciler.config.scalars import NumberOutOfReach, is_special

if TYPE_CHECKING:
    from reconciler.config.positions import Place
    from reconciler.diagnostics import Route
    from reconciler.model.resource import JSON


# Tables of all of Unicode take a hundredth of a second to compile, and most files are ASCII.
@cache
def _wide_unusual() -> re.Pattern[str]:
    more = "\u2010-\u2027\u2030-\u205e\u20a0-\u20bf\U00010000-\U0010fffd"
    # No control characters, no unusual blanks, nothing that only some parsers accept.
    return re.compile(f"[^\n -~{BEYOND_ASCII}{more}]")


_HEAD: Final = re.compile(rf"( *)({NAME})")
_LINE: Final = re.compile(rf"( *)(- +|-$)?(?:{KEY.pattern})?(.*)")
_COLON_WITHIN: Final = re.compile(r":(?! )")
_BETWEEN: Final = "\n---\n"
"""What always ends a document and begins another one."""


def read_documents(text: str, file: str) -> Composed:
    """Read all documents of a YAML text; ``file`` is the name that diagnostics show."""
    return _composed(plain_documents(text), text, file)


class ReadOnce:
    """Reads texts like :func:`read_documents`, but each distinct document of them only once."""

    def __init__(self) -> None:
        self._values: dict[str, list[JSON] | None] = {}

    def __call__(self, text: str, file: str) -> Composed:
        """Read all documents of a text."""
        return _composed(self.plain(text), text, file)

    def is_plain(self, text: str) -> bool:
        """Whether a text is in the common form."""
        return self.plain(text) is not None

    def plain(self, text: str) -> list[JSON] | None:
        """What :func:`plain_documents` reads."""
        if text not in self._values:
            self._values[text] = self._by_document(text)
        return self._values[text]

    def _by_document(self, text: str) -> list[JSON] | None:
        first, *others = text.split(_BETWEEN)
        if not others or len(text) > MAX_FOR_REFERENCE:
            return plain_documents(text)
        *others, last = others
        parts = [f"{first}\n", *(f"---\n{part}\n" for part in others), f"---\n{last}"]
        found: list[JSON] = []
        for part in parts:
            values = self.plain(part)
            if values is None:
                return None
            found += values
        return found


def _composed(values: list[JSON] | None, text: str, file: str) -> Composed:
    if values is None:
        from reconciler.config.compose import compose  # noqa: PLC0415 - ruamel costs to import

        return compose(text, file)
    source = _PlainSource(text, file)
    return Composed(
        tuple(
            RawDocument(value, file, Positions(partial(source.places, index)))
            for index, value in enumerate(values)
        ),
        (),
    )


class _PlainSource:
    """A file that was read here, and is parsed fully if a position in it is needed."""

    def __init__(self, text: str, file: str) -> None:
        self._text = text
        self._file = file

    def places(self, document: int) -> dict[Route, Place]:
        """The places of all values of one of its documents."""
        return self._positions[document].places

    @cached_property
    def _positions(self) -> tuple[Positions, ...]:
        from reconciler.config.compose import compose  # noqa: PLC0415 - ruamel costs to import

        return tuple(item.positions for item in compose(self._text, self._file).documents)


def plain_documents(text: str) -> list[JSON] | None:
    """The values of all documents that are not empty; None if the text is not in this form."""
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    if text.isascii():
        if not text.replace("\n", "").isprintable():
            return None
    elif _wide_unusual().search(text):
        return None
    try:
        return _PlainReader(is_long=len(text) > MAX_FOR_REFERENCE).read(text)
    except (NotPlain, NumberOutOfReach):
        return None


_SCALAR_HERE: Final = 0
_NOTHING_HERE: Final = 1
_COLLECTION_HERE: Final = 2
_COLLECTION_WITH_COLON: Final = 3
_END_OF_DOCUMENT: Final = 4
"""What a line has besides its key: a value, or nothing if the value is on the lines below."""

_Line: TypeAlias = tuple[int, int, str | None, int, "JSON"]
"""A line by itself: the column of its entry, the width of its dash, its key, what else it has,
and the value."""


@lru_cache(maxsize=4096)  # most lines of a configuration occur in many of its files
def _line(text: str) -> _Line | None:
    """Read a line; None if it is blank or a comment. Raises NotPlain or NumberOutOfReach."""
    start, _, value = text.partition(": ")
    if is_word(value) and (head := _head(start)) is not None:
        return *head, _SCALAR_HERE, value
    return _other_line(text)


def _other_line(text: str) -> _Line | None:
    """Read a line that need not be a key and a word; raises as above."""
    found = _LINE.fullmatch(text)
    if found is None:
        raise NotPlain
    blanks, dash, key, rest = found.groups()
    if key is not None:
        if is_special(key):
            raise NotPlain
        key = intern(key)
    elif dash is None:
        if rest == "---" and not blanks:
            return 0, 0, None, _END_OF_DOCUMENT, None
        if rest and rest[0] != "#":
            raise NotPlain
        return None
    width = len(dash) if dash else 0
    if not rest or rest[0] == "#":
        return len(blanks), width, key, _NOTHING_HERE, None
    if is_word(rest):
        return len(blanks), width, key, _SCALAR_HERE, rest
    what = _SCALAR_HERE
    if rest[0] in "[{":
        what = _COLLECTION_WITH_COLON if _COLON_WITHIN.search(rest) else _COLLECTION_HERE
    return len(blanks), width, key, what, value_in(rest)


@lru_cache(maxsize=1024)  # the same keys occur in every file
def _head(text: str) -> tuple[int, int, str] | None:
    """Read what is before the colon of a mapping's line: the column, no dash, and the key; None for anything else."""
    found = _HEAD.fullmatch(text)
    if found is None or is_special(found[2]):
        return None
    return len(found[1]), 0, intern(found[2])


class _PlainReader:
    """Reads line by line; the column of a line determines which open collection it belongs to."""

    def __init__(self, *, is_long: bool) -> None:
        self.is_long = is_long
        self.documents: list[JSON] = []
        # The open collections, the innermost last, and the columns of their entries.
        self.open: list[Any] = []
        self.columns: list[int] = []
        # The key or index in the innermost one whose value may be on the lines below.
        self.awaited: str | int | None = None

    def read(self, text: str) -> list[JSON]:
        """Read all documents; raises NotPlain or NumberOutOfReach."""
        holder: Any = None
        innermost = -1  # the column of the previous line's mapping, which is still the innermost
        for line in map(_line, text.split("\n")):
            if line is None:
                continue
            column, dash, key, what, value = line
            if column != innermost or dash or key is None:
                if what == _END_OF_DOCUMENT:
                    self._end()
                    innermost = -1
                    continue
                holder = self._place(column, dash, key)
                innermost = self.columns[-1]
            if what != _SCALAR_HERE:
                value = self._other(what, value, len(holder) if key is None else key)
                innermost = innermost if self.awaited is None else -1
            if key is None:
                holder.append(value)
                innermost = -1
            elif key in holder:
                raise NotPlain
            else:
                holder[key] = value
        self._end()
        return self.documents

    def _other(self, what: int, value: JSON, at: str | int) -> JSON:
        """The value of a line without a scalar; it may begin on the lines below."""
        if what == _NOTHING_HERE:
            self.awaited = at
            return None
        if what == _COLLECTION_WITH_COLON and self.is_long:
            raise NotPlain  # only the parser that is too slow for long texts supports it
        return _copy(value)

    def _place(self, column: int, dash: int, key: str | None) -> Any:
        """The list or mapping that a line adds to; for a key beside a dash, a new mapping."""
        holder = self._holder(column, is_item=dash > 0)
        if not dash or key is None:
            return holder
        entry: dict[str, JSON] = {}
        holder.append(entry)
        self._open(entry, column + dash)
        return entry

    def _end(self) -> None:
        if self.open:
            self.documents.append(self.open[0])
        self.open.clear()
        self.columns.clear()
        self.awaited = None

    def _open(self, collection: Any, column: int) -> None:
        if len(self.open) >= MAX_PLAIN_DEPTH:
            raise NotPlain
        self.open.append(collection)
        self.columns.append(column)

    def _holder(self, column: int, *, is_item: bool) -> Any:
        """The list or the mapping that an entry in that column belongs to."""
        if not self.open:
            if column or is_item:
                raise NotPlain
            self._open({}, 0)
        elif self.awaited is not None:
            self._open_awaited(self.awaited, column, is_item=is_item)
        columns, open_ = self.columns, self.open
        # A list may begin in the column of the key that it belongs to; the next key ends it.
        while columns[-1] > column or (
            columns[-1] == column and not is_item and isinstance(open_[-1], list)
        ):
            columns.pop()
            open_.pop()
            if not columns:
                raise NotPlain
        holder = open_[-1]
        if columns[-1] != column or isinstance(holder, list) is not is_item:
            raise NotPlain
        return holder

    def _open_awaited(self, awaited: str | int, column: int, *, is_item: bool) -> None:
        self.awaited = None
        above, holder = self.columns[-1], self.open[-1]
        if column > above or (column == above and is_item and isinstance(holder, dict)):
            collection: Any = [] if is_item else {}
            holder[awaited] = collection
            self._open(collection, column)


def _copy(value: JSON) -> JSON:
    """A separate list or mapping for each document, which may modify it."""
    if isinstance(value, list):
        return [item if isinstance(item, str) else _copy(item) for item in value]
    if isinstance(value, dict):
        return {key: item if isinstance(item, str) else _copy(item) for key, item in value.items()}
    return value
