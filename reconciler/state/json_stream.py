"""Reads a JSON document larger than memory: the members of its object, and the elements of their lists.

Python's own decoder reads each element, so that every value equals that of ``json.loads``.
"""

from __future__ import annotations

import codecs
import json
import re
from typing import TYPE_CHECKING, Any, Final, Protocol

from msgspec import Struct

from reconciler.json_values import TooLarge, whole_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_CHUNK: Final = 1 << 17
"""The number of octets to read at once."""

_MARGIN: Final = 16
"""How far before its end a truncated text may look invalid: ``-Infinity`` has nine characters."""

_BLANKS: Final = re.compile(r"[ \t\n\r]*")
_DECODER: Final = json.JSONDecoder(parse_int=whole_number)


class Octets(Protocol):
    """The source of the document, readable from any offset and any number of times."""

    @property
    def name(self) -> str:
        """Its name for messages."""
        ...

    def read(self, at: int, size: int) -> bytes:
        """Read a number of octets at an offset, fewer only at the end."""
        ...


class NotJson(ValueError):
    """The document is not JSON, or is cut short."""


class NotUtf8(ValueError):
    """The octet at ``offset`` is not part of a character."""

    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.offset = offset


class Member(Struct, frozen=True):
    """Where the value of a member begins, in octets, and whether it is a list."""

    at: int
    is_list: bool


def members(source: Octets, look: Callable[[object], None]) -> dict[str, Member] | None:
    """Read the whole document, and find the members of its object; None if it is not an object.

    ``look`` is called with every name and value, and with the elements of a list. Of members with the
    same name the last counts. Raises NotUtf8 in preference to NotJson and to TooLarge for a whole
    number of more than 64 bits.
    """
    window = _Window(source, 0)
    try:
        return _members(window, look)
    except (NotJson, TooLarge):
        window.drain()
        raise


def _members(window: _Window, look: Callable[[object], None]) -> dict[str, Member] | None:
    found: dict[str, Member] | None = None
    if window.peek() == "{":
        found = {}
        for name in window.names():
            look(name)
            found[name] = Member(window.offset, window.peek() == "[")
            for value, _ in window.values():
                look(value)
    else:
        for value, _ in window.values():
            look(value)
    if window.peek():
        raise NotJson
    return found


def elements(source: Octets, at: int) -> Iterator[tuple[Any, str]]:
    """Yield the elements of the list at an offset, and their text."""
    return _Window(source, at).values()


def value_at(source: Octets, at: int) -> Any:
    """Read the whole value at an offset."""
    window = _Window(source, at)
    window.peek()
    return window.value()[0]


class _Window:
    """A window on the text of the document, from an offset on."""

    def __init__(self, source: Octets, start: int) -> None:
        self._source = source
        self._start = start  # of the text, in octets
        self._text = ""
        self._at = 0
        self._next = start
        self._cut = b""  # the beginning of a character
        self._ended = False

    @property
    def offset(self) -> int:
        """Where the window is in the document, in octets."""
        return self._start + len(self._text[: self._at].encode())

    def peek(self) -> str:
        """Skip blanks, and return the next character; "" at the end."""
        while True:
            match = _BLANKS.match(self._text, self._at)
            self._at = match.end() if match else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def names(self) -> Iterator[str]:
        """Yield the name of each member of an object; its value must be read before the next one."""
        self._take("{")
        if self.peek() == "}":
            self._take("}")
            return
        while True:
            if self.peek() != '"':
                raise NotJson
            name, _ = self.value()
            self._take(":")
            self.peek()
            yield name
            if self._take(",}") == "}":
                return

    def values(self) -> Iterator[tuple[Any, str]]:
        """Yield the elements of a list, or else the one value, with their text."""
        if self.peek() != "[":
            yield self.value()
            return
        self._take("[")
        if self.peek() == "]":
            self._take("]")
            return
        while True:
            self.peek()
            yield self.value()
            if self._take(",]") == "]":
                return

    def value(self) -> tuple[Any, str]:
        """Read the value that begins here, and its text."""
        while True:
            try:
                found, end = _DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                near = error.pos >= len(self._text) - _MARGIN
                if (near or error.msg.startswith("Unterminated")) and self._more():
                    continue
                raise NotJson from None
            except RecursionError:
                raise NotJson from None
            if not self._is_cut(end) or not self._more():
                text = self._text[self._at : end]
                self._at = end
                return found, text

    def drain(self) -> None:
        """Read the rest, whatever it is; raises NotUtf8."""
        while True:
            self._at = len(self._text)
            if not self._more():
                return

    def _is_cut(self, end: int) -> bool:
        """Whether a value could continue after the current text, like 1 in 1e5."""
        match = _BLANKS.match(self._text, end)
        after = match.end() if match else end
        if after == len(self._text):
            return True
        return len(self._text) - after < _MARGIN and self._text[after] not in ",:]}"

    def _take(self, marks: str) -> str:
        found = self.peek()
        if not found or found not in marks:
            raise NotJson
        self._at += 1
        return found

    def _more(self) -> bool:
        """Double the window, dropping what was consumed; False at the end."""
        if self._ended:
            return False
        self._start = self.offset
        kept = self._text[self._at :]
        octets = self._source.read(self._next, max(_CHUNK, len(kept)))
        self._ended = not octets
        pending = self._cut + octets
        try:
            text, used = codecs.utf_8_decode(pending, "strict", self._ended)
        except UnicodeDecodeError as error:
            raise NotUtf8(self._next - len(self._cut) + error.start) from None
        self._next += len(octets)
        self._cut = pending[used:]
        self._text, self._at = kept + text, 0
        return True
