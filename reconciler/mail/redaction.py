"""What a server said, made fit to be shown: one short line, and nothing of what it was told in confidence.

A server that has been given a password can repeat it: in an error message that quotes the line it did
not like, or as the name of a folder. Masking goes by type wherever the text is ours; text of others has
no type, so here it is searched. A text that holds any piece of a secret is not shown at all, because
what is left of it could still tell.
"""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.secrets.base import Secret

LIMIT = 300
"""The most characters of a server's text that are shown."""

HIDDEN = "(not shown: it repeats what was sent in confidence)"

_PIECE = 8
"""Characters of a secret that are enough to hide a text: servers quote lines cut short.

A password that holds a word of the server's hides the text too; the failure's cause remains.
"""

_PEM = re.compile(r"-----BEGIN (?P<label>[A-Z0-9 ]+)-----(?P<body>.+?)-----END ", re.DOTALL)

_QUOTING = re.compile(r"[\s\\\"]+")


class Redactor:
    """Knows the secrets of one test, and shows no text that holds one."""

    __slots__ = ("_pieces", "_whole")

    def __init__(self) -> None:
        self._whole: set[str] = set()
        self._pieces: set[str] = set()

    def __repr__(self) -> str:
        return "Redactor(…)"

    def learn(self, secret: Secret) -> None:
        """Keep a secret in mind, with the forms in which protocols and servers write it."""
        for text in _confidential(secret.reveal()):
            for form in (text, text[::-1], quote(text, safe="")):
                self._keep(_compact(form))
            self.learn_encoded(text)

    def learn_encoded(self, text: str) -> None:
        """Keep in mind what a text looks like in base64 and in hexadecimal, but not as it is."""
        octets = text.encode("utf-8", "surrogatepass")
        for form in (octets.hex(), *_base64(octets)):
            self._keep(_compact(form))

    def show(self, text: str, *, limit: int = LIMIT) -> str:
        """The text on one line of printable characters, at most ``limit`` of them."""
        compact = _compact(text)
        windows = (compact[i : i + _PIECE] for i in range(len(compact) - _PIECE + 1))
        if any(form in compact for form in self._whole) or not self._pieces.isdisjoint(windows):
            return HIDDEN
        shown = text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)
        line = " ".join(shown.split())
        return line if len(line) <= limit else f"{line[: limit - 1]}…"

    def _keep(self, form: str) -> None:
        if len(form) <= _PIECE:
            self._whole |= {form} if form else set()
        else:
            self._pieces |= {form[i : i + _PIECE] for i in range(len(form) - _PIECE + 1)}


def _confidential(text: str) -> Iterator[str]:
    """What of a secret is secret: of a key in PEM (RFC 7468), or in Google's JSON, only the key itself.

    The rest are words that servers use too: a certificate that is about to expire could not be told of.
    """
    if text.lstrip().startswith("{"):
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            document = None
        key = document.get("private_key") if isinstance(document, dict) else None
        if isinstance(key, str):
            yield from _confidential(key)
            return
    keys = [
        match["body"] for match in _PEM.finditer(text) if match["label"].endswith("PRIVATE KEY")
    ]
    yield from keys or [text]


def _base64(octets: bytes) -> Iterator[str]:
    """What octets look like in base64 at each of three places that they can have in a group.

    The characters at both ends are left out where they depend on what stands next to it.
    """
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + octets).decode().rstrip("=")
        certain = encoded[(0, 2, 3)[shift] : len(encoded) - bool((shift + len(octets)) % 3)]
        yield certain
        yield certain.replace("+", "-").replace("/", "_")


def _compact(text: str) -> str:
    """Without case, and without what servers change when they quote: blanks, backslashes and quotes."""
    if not text.isprintable():  # which is quick to tell, and rare
        text = "".join(c for c in text if c.isprintable() or c.isspace())
    return _QUOTING.sub("", text).casefold()
