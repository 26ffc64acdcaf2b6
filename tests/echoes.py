"""Ways in which a server may repeat what it was sent, for tests that no part of a secret is shown."""

from __future__ import annotations

import base64
import codecs
import hashlib
import zlib
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def _each(form: str) -> Callable[[str], str]:
    """Write every octet by a format."""
    return lambda text: "".join(form.format(octet) for octet in text.encode())


def _separated(separator: str) -> Callable[[str], str]:
    return separator.join


COVERED: Final[Mapping[str, Callable[[str], str]]] = {
    "as it is": str,
    "in capitals": str.upper,
    "backwards": lambda text: text[::-1],
    "between quotes": lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"',
    "percent": lambda text: quote(text, safe=""),
    "percent, every octet": _each("%{:02x}"),
    "percent, twice": lambda text: quote(quote(text, safe=""), safe=""),
    "quoted-printable, every octet": _each("={:02X}"),
    "\\x, every octet": _each("\\x{:02x}"),
    "octal, every octet": _each("\\{:03o}"),
    "\\u, every character": lambda text: "".join(f"\\u{ord(item):04x}" for item in text),
    "&#, every character": lambda text: "".join(f"&#{ord(item)};" for item in text),
    "&#x, every character": lambda text: "".join(f"&#x{ord(item):X};" for item in text),
    "decimal": lambda text: " ".join(str(octet) for octet in text.encode()),
    "decimal, as a list": lambda text: str(list(text.encode())),
    "hexadecimal": lambda text: text.encode().hex(),
    "hexadecimal, with colons": lambda text: text.encode().hex(":"),
    "hexadecimal, with 0x": lambda text: " ".join(f"0x{octet:02x}" for octet in text.encode()),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64, for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "base64, of UTF-16": lambda text: base64.b64encode(text.encode("utf-16-le")).decode(),
    "base64, within PLAIN": lambda text: base64.b64encode(f"\0me\0{text}".encode()).decode(),
    "base32": lambda text: base64.b32encode(text.encode()).decode(),
    "base32, in small letters": lambda text: base64.b32encode(text.encode()).decode().lower(),
    "hyphens between": _separated("-"),
    "commas and blanks between": _separated(", "),
    "invisible characters between": _separated("\u200b"),
    "letters between": _separated("x"),
    "the first two thirds": lambda text: text[: -(-2 * len(text) // 3)],
    "the last two thirds": lambda text: text[len(text) // 3 :],
}
"""Encodings that are recognised in any text of a server."""

NOT_COVERED: Final[Mapping[str, Callable[[str], str]]] = {
    "ROT13": lambda text: codecs.encode(text, "rot13"),
    "base85": lambda text: base64.b85encode(text.encode()).decode(),
    "compressed": lambda text: zlib.compress(text.encode()).hex(),
    "a hash": lambda text: hashlib.sha256(text.encode()).hexdigest(),
    "two letters between": _separated("yx"),
    "leet": lambda text: text.translate(str.maketrans("aeiost", "431057")),
}
"""Encodings that are not recognised; only showing nothing but known words is safe from them."""


def pieces(text: str, size: int = 5) -> set[str]:
    """All pieces of a text, without regard to case."""
    small = text.casefold()
    return {small[start : start + size] for start in range(len(small) - size + 1)}
