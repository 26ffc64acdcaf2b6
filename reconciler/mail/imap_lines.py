"""Reads an IMAP server's lists line by line, so that an unreadable line affects no other."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeAlias

from imapclient.imap_utf7 import decode as decode_utf7
from msgspec import Struct

from reconciler.mail.folders import Namespaces

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Item: TypeAlias = "bytes | list[Item] | None"
"""An atom, a quoted string or a literal; NIL; or a list of these."""

_TOKEN: Final = re.compile(
    rb'(?P<open>\()|(?P<close>\))|"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<atom>[^\s()"]+)', re.DOTALL
)
_BLANKS: Final = re.compile(rb"[ \t]*")
_ESCAPE: Final = re.compile(rb"\\(.)", re.DOTALL)
_LITERAL: Final = re.compile(rb"\{\d+\+?\}\Z")
_DEEPEST: Final = 20
"""The maximum nesting of lists; servers use three levels."""


class Folder(Struct, frozen=True):
    """One folder as LIST names it; ``delimiter`` is "" in a flat name space."""

    name: str
    delimiter: str
    flags: frozenset[str]

    @property
    def selectable(self) -> bool:
        """Whether it can hold messages."""
        return self.flags.isdisjoint({"\\NOSELECT", "\\NONEXISTENT"})


class Quota(Struct, frozen=True):
    """A limit of one resource: of STORAGE in units of 1024 octets, of MESSAGE in messages (RFC 9208)."""

    root: str
    resource: str
    usage: int
    limit: int


def lines(untagged: Iterable[object]) -> Iterator[list[bytes | None]]:
    """Reassemble imaplib's data into lines: text, with None before each literal.

    A line with literals comes as pairs of text and literal, and the text after the last of them.
    """
    parts: list[bytes | None] = []
    for given in untagged:
        if isinstance(given, tuple):
            text, literal = given
            parts += [_LITERAL.sub(b"", bytes(text)), None, bytes(literal)]
            continue
        if isinstance(given, bytes):
            parts.append(given)
        if parts:
            yield parts
        parts = []


def items(line: list[bytes | None]) -> list[Item]:
    """Read a line as its items; raises ValueError for an unreadable one.

    Blanks may be repeated or be tabs, and an atom may contain any character that does not end it.
    """
    top: list[Item] = []
    open_lists = [top]
    literal = False
    for part in line:
        if part is None:
            literal = True
        elif literal:
            open_lists[-1].append(part)
            literal = False
        else:
            _read(part, open_lists)
    if len(open_lists) != 1:
        raise ValueError("a list is not closed")
    return top


def _read(text: bytes, open_lists: list[list[Item]]) -> None:
    place = 0
    while (place := _end(_BLANKS, text, place)) < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise ValueError("a quoted string is not closed")
        place = match.end()
        if match["open"]:
            if len(open_lists) > _DEEPEST:
                raise ValueError("lists are too deep")
            inner: list[Item] = []
            open_lists[-1].append(inner)
            open_lists.append(inner)
        elif match["close"]:
            if len(open_lists) == 1:
                raise ValueError("a list is closed that was not opened")
            open_lists.pop()
        elif match["atom"]:
            atom = match["atom"]
            open_lists[-1].append(None if atom.upper() == b"NIL" else atom)
        else:
            open_lists[-1].append(_ESCAPE.sub(rb"\1", match["quoted"]))


def _end(pattern: re.Pattern[bytes], text: bytes, place: int) -> int:
    match = pattern.match(text, place)
    return match.end() if match else place


def folder_of(found: list[Item]) -> Folder:
    """Read the data of LIST: flags, delimiter, name; extension data after them is ignored.

    Raises ValueError.
    """
    match found:
        case [list(flags), (bytes() | None) as delimiter, (bytes() | None) as name, *rest]:
            if all(isinstance(extension, list) for extension in rest):
                marks = (
                    flag.decode("ascii", "replace").upper()
                    for flag in flags
                    if isinstance(flag, bytes)
                )
                between = delimiter.decode("ascii", "replace") if delimiter else ""
                return Folder(
                    folder_name(b"NIL" if name is None else name), between, frozenset(marks)
                )
    raise ValueError("this is not the data of LIST")


def namespaces_of(found: list[Item]) -> Namespaces:
    """Read the data of NAMESPACE (RFC 2342): three lists of prefixes, each with a delimiter and extensions.

    A list that is missing is empty. Raises ValueError.
    """
    own, others, shared = (_prefixes(item) for item in (*found, None, None, None)[:3])
    return Namespaces(own, (*others, *shared))


def _prefixes(item: Item) -> tuple[str, ...]:
    match item:
        case None:
            return ()
        case list(spaces):
            prefixes = []
            for space in spaces:
                match space:
                    case [bytes(prefix), *_]:
                        prefixes.append(folder_name(prefix))
                    case _:
                        raise ValueError("this is not a name space")
            return tuple(prefixes)
    raise ValueError("this is not the data of NAMESPACE")


def quotas_of(found: list[Item]) -> tuple[Quota, ...]:
    """Read the data of QUOTA (RFC 9208): a root, and a list of resource, usage and limit.

    Raises ValueError.
    """
    match found:
        case [(bytes() | None) as root, list(values), *_] if len(values) % 3 == 0:
            name = (root or b"").decode("utf-8", "replace")
            triples = zip(values[::3], values[1::3], values[2::3], strict=True)
            return tuple(_quota(name, triple) for triple in triples)
    raise ValueError("this is not the data of QUOTA")


def _quota(root: str, triple: tuple[Item, Item, Item]) -> Quota:
    match triple:
        case [bytes(resource), bytes(usage), bytes(limit)]:
            return Quota(root, resource.decode("utf-8", "replace"), int(usage), int(limit))
    raise ValueError("this is not a resource")


def folder_name(name: bytes) -> str:
    """Decode modified UTF-7 (RFC 3501 section 5.1.3); an invalid name is read as UTF-8."""
    if name.isascii():
        try:
            return str(decode_utf7(name))
        except (ValueError, LookupError):
            pass  # a literal ampersand
    return name.decode("utf-8", "replace")
