"""What a server said, made fit to be shown: one short line, and nothing of what it was told in confidence.

A server that has been given a password can repeat it: in an error message that quotes the line it did
not like, or as the name of a folder. Masking goes by type wherever the text is ours; text of others has
no type, so here it is searched. A text that holds any piece of a secret is not shown at all, because
what is left of it could still tell.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from reconciler.secrets.base import Secret

LIMIT = 300
"""The most characters of a server's text that are shown."""

HIDDEN = "(not shown: it repeats what was sent in confidence)"

_PIECE = 12
"""Characters of an encoded secret that are enough to hide a text: servers quote lines cut short."""

_BLANK = re.compile(r"[\s\\\"]+")


class Discretion:
    """Knows the secrets of one test, and shows no text that holds one."""

    __slots__ = ("_encoded", "_pieces", "_plain")

    def __init__(self) -> None:
        self._plain: set[str] = set()
        self._encoded: set[str] = set()
        self._pieces: set[str] = set()

    def __repr__(self) -> str:
        return "Discretion(…)"

    def learn(self, secret: Secret) -> None:
        """Keep a secret in mind, with the forms in which protocols and servers write it."""
        text = secret.reveal()
        octets = text.encode("utf-8", "surrogatepass")
        self._plain |= {_compact(text), _compact(text[::-1])}
        self._encoded |= {binascii.hexlify(octets).decode(), quote(text, safe="").lower()}
        # In a SASL response the secret starts at any of three places within a group of base64.
        for shift in range(3):
            encoded = base64.b64encode(b"\0" * shift + octets).decode().rstrip("=")
            middle = encoded[2 if shift else 0 :][: -1 if len(encoded) > _PIECE else None]
            for form in (middle, middle.replace("+", "-").replace("/", "_")):
                self._pieces |= {
                    form[i : i + _PIECE] for i in range(max(1, len(form) - _PIECE + 1))
                }

    def show(self, text: str, *, limit: int = LIMIT) -> str:
        """The text on one line of printable characters, at most ``limit`` of them."""
        compact = _compact(text)
        if (
            any(secret in compact for secret in self._plain if secret)
            or any(form in text.lower() for form in self._encoded if form)
            or any(piece in compact for piece in self._encoded_pieces())
        ):
            return HIDDEN
        line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        return line if len(line) <= limit else line[: limit - 1] + "…"

    def _encoded_pieces(self) -> set[str]:
        return {piece for piece in self._pieces if piece}


def _compact(text: str) -> str:
    """Without what servers change when they quote: blanks, line ends, backslashes and quotes."""
    return _BLANK.sub("", "".join(c for c in text if c.isprintable() or c.isspace()))
