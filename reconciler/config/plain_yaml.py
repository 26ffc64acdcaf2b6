"""The common form of YAML, read quickly: mappings and lists of values that fit on one line.

Nearly all configurations are written in this form alone, and reading it takes a tenth of the time that a
parser for all of YAML takes. Whatever is not in it, however slightly, is left to
:mod:`reconciler.config.compose`, which decides what it means or what is wrong with it. So nothing is
reported from here, and what is read here has the values that it would have there.

Positions are needed only where something is reported, so only then is the file read by that parser too.
"""

from __future__ import annotations

import re
from functools import cache, cached_property, partial
from typing import TYPE_CHECKING, Any, Final

from reconciler.config.positions import Positions
from reconciler.config.raw import MAX_FOR_REFERENCE, Composed, RawDocument
from reconciler.config.scalars import NumberOutOfReach, is_special, resolve

if TYPE_CHECKING:
    from reconciler.config.positions import Place
    from reconciler.diagnostics import Route
    from reconciler.model.resource import JSON

MAX_PLAIN_DEPTH: Final = 16
"""How deep values may be nested here. The limit of all YAML, which is higher, is checked there."""

_BEYOND_ASCII: Final = "\u00a1-\u1fff\u3001-\ud7ff"


def _unusual(beyond: str) -> re.Pattern[str]:
    # No control characters, no blanks that YAML does not treat as blanks, nothing that only some parsers accept.
    return re.compile(f"[^\n -~{beyond}]")


def _scalar(beyond: str) -> re.Pattern[str]:
    """One within brackets or braces: between quotes of either sort, or plain."""
    plain = f"A-Za-z0-9_./~+$({beyond}"
    return re.compile(
        rf"""(?:"([^"\\]*)"|'([^']*)')|([{plain}](?:[{plain})@*=<>; -]|:(?=[A-Za-z0-9_./]))*)"""
    )


_UNUSUAL: Final = _unusual("")
_SCALAR: Final = _scalar("")


# Tables of all of Unicode take a hundredth of a second to compile, and most files are ASCII.
@cache
def _wide_unusual() -> re.Pattern[str]:
    more = "\u2010-\u2027\u2030-\u205e\u20a0-\u20bf\U00010000-\U0010fffd"
    return _unusual(_BEYOND_ASCII + more)


@cache
def _wide_scalar() -> re.Pattern[str]:
    return _scalar(_BEYOND_ASCII)


_KEY: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_-]{0,99}):(?: +|$)")
_LINE: Final = re.compile(rf"( *)(- +|-$)?(?:{_KEY.pattern})?(.*)")
_PLAIN_START: Final = frozenset(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./~+$("
)
_QUOTED: Final = re.compile(r"""(?:"([^"\\]*)"|'([^']*)')(?: +#.*| *)""")
_COLON_WITHIN: Final = re.compile(r":(?! )")
_OPENING: Final = re.compile(r"([\[{]) *")
_NEXT: Final = re.compile(r" *(, +|[\]}])")
_REST: Final = re.compile(r" *| +#.*")


class _NotPlain(Exception):
    """The text is not of this form."""


def read_documents(text: str, file: str) -> Composed:
    """Read all documents of a YAML text; ``file`` is the name that diagnostics show."""
    values = plain_documents(text)
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
    """A file that was read here, and is read again if a position in it is asked for."""

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
    """The values of all documents that are not empty; None if the text is not of the plain form."""
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    if (_UNUSUAL if text.isascii() else _wide_unusual()).search(text):
        return None
    try:
        return _PlainReader(is_long=len(text) > MAX_FOR_REFERENCE).read(text)
    except (_NotPlain, NumberOutOfReach):
        return None


class _PlainReader:
    """Reads line by line; a line says by its column which of the open collections it belongs to."""

    def __init__(self, *, is_long: bool) -> None:
        self.is_long = is_long
        self.documents: list[JSON] = []
        # The collections that are open, the innermost last, and the columns that their entries begin in.
        self.open: list[Any] = []
        self.columns: list[int] = []
        # The key or index in the innermost one whose value may stand on the lines below.
        self.awaited: str | int | None = None

    def read(self, text: str) -> list[JSON]:
        """Read all documents; raises _NotPlain or NumberOutOfReach."""
        for line in text.split("\n"):
            found = _LINE.fullmatch(line)
            if found is None:
                raise _NotPlain
            blanks, dash, key, rest = found.groups()
            if key is None and dash is None:
                if rest == "---" and not blanks:
                    self._end()
                elif rest and rest[0] != "#":
                    raise _NotPlain
                continue
            holder = self._holder(len(blanks), is_item=dash is not None)
            if key is None:
                holder.append(self._value(rest, len(holder)))
                continue
            if dash is not None:  # a list of mappings, whose first key stands beside the dash
                entry: dict[str, JSON] = {}
                holder.append(entry)
                self._open(entry, len(blanks) + len(dash))
                holder = entry
            if key in holder or is_special(key):
                raise _NotPlain
            holder[key] = self._value(rest, key)
        self._end()
        return self.documents

    def _end(self) -> None:
        if self.open:
            self.documents.append(self.open[0])
        self.open, self.columns, self.awaited = [], [], None

    def _open(self, collection: Any, column: int) -> None:
        if len(self.open) >= MAX_PLAIN_DEPTH:
            raise _NotPlain
        self.open.append(collection)
        self.columns.append(column)

    def _value(self, rest: str, at: str | int) -> JSON:
        if not rest or rest[0] == "#":
            self.awaited = at
            return None
        if self.is_long and rest[0] in "[{" and _COLON_WITHIN.search(rest):
            raise _NotPlain  # only the parser that is too slow for long texts accepts it
        return _value(rest)

    def _holder(self, column: int, *, is_item: bool) -> Any:
        """The list or the mapping that an entry in that column belongs to."""
        if not self.open:
            if column or is_item:
                raise _NotPlain
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
                raise _NotPlain
        holder = open_[-1]
        if columns[-1] != column or isinstance(holder, list) is not is_item:
            raise _NotPlain
        return holder

    def _open_awaited(self, awaited: str | int, column: int, *, is_item: bool) -> None:
        self.awaited = None
        above, holder = self.columns[-1], self.open[-1]
        if column > above or (column == above and is_item and isinstance(holder, dict)):
            collection: Any = [] if is_item else {}
            holder[awaited] = collection
            self._open(collection, column)


def _value(rest: str) -> JSON:
    """The value that stands on the rest of a line."""
    first = rest[0]
    if first in _PLAIN_START or first > "\u00a0":
        plain = rest.partition(" #")[0].rstrip(" ")
        if plain[-1] == ":" or ": " in plain:
            raise _NotPlain
        return resolve(plain)
    if first in "[{":
        value, end = _flow(rest, 0, 0)
        if not _REST.fullmatch(rest, end):
            raise _NotPlain
        return value
    quoted = _QUOTED.fullmatch(rest)
    if quoted is None:
        raise _NotPlain
    double, single = quoted.groups()
    return single if double is None else double


def _flow(text: str, at: int, depth: int) -> tuple[JSON, int]:
    """The value within a line that begins there, and where it ends."""
    opening = _OPENING.match(text, at)
    if opening:
        if depth >= MAX_PLAIN_DEPTH // 2:
            raise _NotPlain
        read = _flow_list if opening[1] == "[" else _flow_mapping
        return read(text, opening.end(), depth + 1)
    scalar = (_SCALAR if text.isascii() else _wide_scalar()).match(text, at)
    if scalar is None:
        raise _NotPlain
    double, single, plain = scalar.groups()
    if plain is not None:
        return resolve(plain.rstrip(" ")), scalar.end()
    return single if double is None else double, scalar.end()


def _flow_list(text: str, at: int, depth: int) -> tuple[JSON, int]:
    found: list[JSON] = []
    sign, end = _next(text, at) if text.startswith("]", at) else (",", at)
    while sign == ",":
        item, end = _flow(text, end, depth)
        found.append(item)
        sign, end = _next(text, end)
    if sign != "]":
        raise _NotPlain
    return found, end


def _flow_mapping(text: str, at: int, depth: int) -> tuple[JSON, int]:
    found: dict[str, JSON] = {}
    sign, end = _next(text, at) if text.startswith("}", at) else (",", at)
    while sign == ",":
        key = _KEY.match(text, end)
        if key is None or key[1] in found or is_special(key[1]):
            raise _NotPlain
        found[key[1]], end = _flow(text, key.end(), depth)
        sign, end = _next(text, end)
    if sign != "}":
        raise _NotPlain
    return found, end


def _next(text: str, at: int) -> tuple[str, int]:
    """The comma or the closing sign that stands there, and where what follows it begins."""
    found = _NEXT.match(text, at)
    if found is None:
        raise _NotPlain
    return found[1][0], found.end()
