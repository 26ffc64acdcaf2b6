"""The rows of a damaged SQLite file, read from its pages one by one where SQLite itself refuses the file.

Implements what a salvage needs of https://www.sqlite.org/fileformat2.html: tables and their records,
the log of a crash, and which pages are free. Indexes are ignored, since everything in them is in the
tables too.
"""

from __future__ import annotations

import struct
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterator

Record: TypeAlias = tuple[Any, ...]
"""The values of a row, as stored in the file: an ``INTEGER PRIMARY KEY`` is None there."""

_MAGIC: Final = b"SQLite format 3\0"
_USUAL_SIZE: Final = 4096
_SIZES: Final = frozenset(2**power for power in range(9, 17))
_LEAF, _INTERIOR = 0x0D, 0x05
_CONTENT: Final = 12
"""The first serial type of a blob or a text; its length is in the number."""

_FIXED: Final = {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8, 7: 8, 8: 0, 9: 0}
"""Octets of each other serial type."""


class FoundRow(Struct, frozen=True):
    """A row, its number in the table, and the page that it is on."""

    page: int
    number: int
    values: Record


class SqlitePages:
    """The pages of a file, with those of its log in their place.

    Nothing in the file is trusted: invalid parts are skipped, and nothing is raised.
    """

    def __init__(self, octets: bytes, log: bytes = b"") -> None:
        self.is_database = octets.startswith(_MAGIC)
        (size,) = struct.unpack_from(">H", octets.ljust(100, b"\0"), 16)
        size = 65536 if size == 1 else size
        self._size = size if self.is_database and size in _SIZES else _USUAL_SIZE
        self._usable = self._size - (octets[20] if octets[20:] and self.is_database else 0)
        self._octets = octets
        self._newer = dict(_committed(log, self._size))
        whole = len(octets) // self._size
        self.count = max((whole, *self._newer))

    @property
    def expected(self) -> int:
        """The number of pages according to the file; 0 if unknown."""
        head = self.page(1) or b""
        return int.from_bytes(head[28:32], "big") if head.startswith(_MAGIC) else 0

    def page(self, number: int) -> bytes | None:
        """A page, or None if it is missing or all zeros."""
        found = self._raw(number)
        return found if found is not None and any(found) else None

    def _raw(self, number: int) -> bytes | None:
        start = (number - 1) * self._size
        found = self._newer.get(number, self._octets[max(start, 0) : start + self._size])
        return found if number > 0 and len(found) == self._size else None

    @cached_property
    def roots(self) -> dict[str, int]:
        """The root page of each table, as far as the list of tables can be read."""
        found = {}
        for number in self.leaves_below(1):
            for row in self.rows(number):
                match row.values:
                    case ("table", str(name), _, int(root), *_) if root > 1:
                        found[name] = root
        return found

    def leaves_below(self, root: int) -> tuple[int, ...]:
        """The pages with rows below a root that can still be reached, in order."""
        return tuple(self._below(root, set()))

    @cached_property
    def leaves(self) -> tuple[int, ...]:
        """Every page with rows of a table that is not free, except the list of tables."""
        free, listing = self._free, set(self.leaves_below(1))
        return tuple(
            number
            for number in range(2, self.count + 1)
            if number not in free and number not in listing and self._kind(number) == _LEAF
        )

    def rows(self, number: int) -> tuple[FoundRow, ...]:
        """The rows of a page that can be read."""
        page = self.page(number)
        if page is None:
            return ()
        found = []
        for cell in self._cells(number, page, 8):
            try:
                found.append(self._row(number, page, cell))
            except (IndexError, ValueError, struct.error, OverflowError):
                continue
        return tuple(found)

    def damaged_rows(self, number: int) -> int:
        """How many rows of a page cannot be read."""
        page = self.page(number)
        if page is None:
            return 0
        start = 100 if number == 1 else 0
        return int.from_bytes(page[start + 3 : start + 5], "big") - len(self.rows(number))

    def _kind(self, number: int) -> int:
        page = self.page(number)
        return page[100 if number == 1 else 0] if page is not None else 0

    def _below(self, number: int, seen: set[int]) -> Iterator[int]:
        if number in seen or not 0 < number <= self.count:
            return
        seen.add(number)
        page, kind = self.page(number), self._kind(number)
        if page is None:
            return
        if kind == _LEAF:
            yield number
        elif kind == _INTERIOR:
            start = 100 if number == 1 else 0
            children = [int.from_bytes(page[cell : cell + 4], "big")
                        for cell in self._cells(number, page, 12)]  # fmt: skip
            for child in (*children, int.from_bytes(page[start + 8 : start + 12], "big")):
                yield from self._below(child, seen)

    def _cells(self, number: int, page: bytes, header: int) -> Iterator[int]:
        """Where the cells of a page begin."""
        start = 100 if number == 1 else 0
        count = int.from_bytes(page[start + 3 : start + 5], "big")
        for place in range(start + header, min(start + header + 2 * count, self._usable - 1), 2):
            cell = int.from_bytes(page[place : place + 2], "big")
            if start + header <= cell < self._usable:
                yield cell

    @cached_property
    def _free(self) -> frozenset[int]:
        """The free pages, which may still contain old data."""
        head = self.page(1) or bytes(100)
        trunk = int.from_bytes(head[32:36], "big") if head.startswith(_MAGIC) else 0
        found: set[int] = set()
        while 0 < trunk <= self.count and trunk not in found:
            found.add(trunk)
            page = self.page(trunk)
            if page is None:
                break
            count = min(int.from_bytes(page[4:8], "big"), self._usable // 4 - 2)
            found.update(struct.unpack_from(f">{count}I", page, 8))
            trunk = int.from_bytes(page[0:4], "big")
        return frozenset(found)

    def _row(self, number: int, page: bytes, at: int) -> FoundRow:
        length, at = _varint(page, at)
        row, at = _varint(page, at)
        if length > len(self._octets) + len(self._newer) * self._size:
            raise ValueError("longer than the file")
        return FoundRow(number, _signed(row), _record(self._payload(page, at, length)))

    def _payload(self, page: bytes, at: int, length: int) -> bytes:
        """The octets of a record, with those that did not fit into its page."""
        usable = self._usable
        here = length
        if length > usable - 35:
            least = (usable - 12) * 32 // 255 - 23
            here = least + (length - least) % (usable - 4)
            if here > usable - 35:
                here = least
        if at + here > usable:
            raise ValueError("it does not fit into its page")
        parts = [page[at : at + here]]
        missing = length - here
        following = int.from_bytes(page[at + here : at + here + 4], "big") if missing else 0
        seen: set[int] = set()
        while missing > 0:
            more = self._raw(following) if following not in seen else None
            if more is None:
                raise ValueError("a page of it is missing")
            seen.add(following)
            parts.append(more[4 : min(usable, 4 + missing)])
            missing -= usable - 4
            following = int.from_bytes(more[:4], "big")
        return b"".join(parts)


def _varint(octets: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place in range(at, at + 8):
        octet = octets[place]
        value = value << 7 | octet & 0x7F
        if octet < 0x80:  # noqa: PLR2004 - the mark of one more octet
            return value, place + 1
    return value << 8 | octets[at + 8], at + 9


def _signed(number: int) -> int:
    return number - 2**64 if number >= 2**63 else number


def _record(octets: bytes) -> Record:
    size, at = _varint(octets, 0)
    types = []
    while at < size:
        kind, at = _varint(octets, at)
        types.append(kind)
    values = []
    at = size
    for kind in types:
        length = _FIXED[kind] if kind < _CONTENT and kind in _FIXED else (kind - _CONTENT) // 2
        if kind in (10, 11) or length < 0 or at + length > len(octets):
            raise ValueError("not a record")
        values.append(_value(kind, octets[at : at + length]))
        at += length
    if at != len(octets):
        raise ValueError("not a record")
    return tuple(values)


def _value(kind: int, octets: bytes) -> Any:
    if kind == 0:
        return None
    if kind == 7:  # noqa: PLR2004 - the numbers of the format
        return struct.unpack(">d", octets)[0]
    if kind < 7:  # noqa: PLR2004 - likewise
        return int.from_bytes(octets, "big", signed=True)
    if kind < _CONTENT:
        return kind - 8
    return octets.decode("utf-8", "surrogateescape") if kind % 2 else octets


def _committed(log: bytes, size: int) -> Iterator[tuple[int, bytes]]:
    """The pages of a write-ahead log that were committed; later ones replace earlier ones."""
    if len(log) < 32 or log[:3] != b"\x37\x7f\x06" or int.from_bytes(log[8:12], "big") != size:  # noqa: PLR2004 - its head
        return
    order = ">" if log[3] & 1 else "<"
    sums = _sums(log[:24], (0, 0), order)
    waiting: list[tuple[int, bytes]] = []
    for start in range(32, len(log) - 24 - size + 1, 24 + size):
        head, page = log[start : start + 24], log[start + 24 : start + 24 + size]
        sums = _sums(page, _sums(head[:8], sums, order), order)
        if head[8:16] != log[16:24] or struct.unpack(">2I", head[16:24]) != sums:
            return
        waiting.append((int.from_bytes(head[:4], "big"), page))
        if any(head[4:8]):
            yield from waiting
            waiting = []


def _sums(octets: bytes, before: tuple[int, int], order: str) -> tuple[int, int]:
    first, second = before
    words = struct.unpack(f"{order}{len(octets) // 4}I", octets)
    for place in range(0, len(words), 2):
        first = (first + words[place] + second) & 0xFFFFFFFF
        second = (second + words[place + 1] + first) & 0xFFFFFFFF
    return first, second
