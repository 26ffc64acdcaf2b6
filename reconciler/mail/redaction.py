"""Redacts a server's text for display: one short line that repeats no secret.

A server can repeat the password that it was sent: in an error message that quotes the line it rejects,
or as the name of a folder. Our own values are masked by type. A server's text has no type, so it is
searched here, in every encoding of :mod:`reconciler.mail.decoding`. A text that contains a piece of a
secret is hidden entirely, because the rest could still reveal some of it. The search cannot find every
encoding, such as base85, compression, a hash, a cipher, or substituted letters. For answers to a
sign-in, which are the most likely to repeat one, :mod:`reconciler.connection.server_answer` therefore
shows only known words.
"""

from __future__ import annotations

import base64
import json
import re
import unicodedata
from typing import TYPE_CHECKING, Final

from reconciler.mail.decoding import readings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.secrets.base import Secret

LIMIT: Final = 300
"""The maximum number of characters to show of a server's text."""

HIDDEN: Final = "(hidden: the server's text repeats part of a secret)"

_PIECE: Final = 5
"""Consecutive characters of a secret that hide a text; half of the secret if it is shorter than twice
that."""

_SHORTEST: Final = 3
"""The length of the smallest piece. A shorter secret is searched as a whole."""

_ENCODED_PIECE: Final = 8
"""The same for base64 whose letters have changed case: more, since case is all that tells many apart."""

_LONG_PIECE: Final = 8
"""The same for a secret too long to be chosen by a person, such as a token, in which words occur by chance."""

_WORDY: Final = 128
"""Characters of a secret that a person may have chosen."""

_PEM: Final = re.compile(r"-----BEGIN (?P<label>[A-Z0-9 ]+)-----(?P<body>.+?)-----END ", re.DOTALL)
_NEITHER: Final = re.compile(r"[\W_]+")
_QUOTING: Final = re.compile(r"[\s\\\"]+")


class Redactor:
    """Knows the secrets of one account, and hides every text that contains a piece of one."""

    __slots__ = ("_ascii", "_encoded", "_forms", "_pieces", "_public", "_texts")

    def __init__(self) -> None:
        self._forms: list[frozenset[str]] = []
        self._public: set[str] = set()
        self._texts: set[str] = set()
        self._pieces: dict[int, set[str]] = {}
        self._encoded: set[str] = set()
        self._ascii = True

    def __repr__(self) -> str:
        return "Redactor(…)"

    def learn(self, secret: Secret) -> None:
        """Remember a secret, with the forms in which servers may repeat it."""
        for text in _confidential(secret.reveal()):
            self._ascii = self._ascii and text.isascii()
            self._texts |= {_letters(text)} if len(text) <= _WORDY else set()
            for form in (text, text[::-1]):
                self._forms += [
                    frozenset(_pieces(normal, _size(normal))) for normal in _normal_forms(form)
                ]
            for form in _base64(text.encode("utf-8", "surrogatepass")):
                self._encoded.update(_pieces(_compact(form), _ENCODED_PIECE))
        self._rebuild()

    def allow(self, text: str) -> None:
        """Ignore pieces that a secret shares with a public text.

        A password may begin with the name of its account, which servers often mention. A secret that is
        entirely public stays hidden.
        """
        for form in (text, text[::-1]):
            for normal in _normal_forms(form):
                for size in range(_SHORTEST, _LONG_PIECE + 1):
                    self._public |= set(_pieces(normal, size))
        self._rebuild()

    def show(self, text: str, *, limit: int = LIMIT) -> str:
        """Return the text on one line of printable characters, at most ``limit`` of them, or HIDDEN."""
        line = _line(text, limit)
        return HIDDEN if self._repeats(line) else line

    def show_all(self, texts: Iterable[str]) -> tuple[str, ...]:
        """Show each text; a secret spread over several of them hides them all."""
        lines = tuple(_line(text, LIMIT) for text in texts)
        if self._occurs("".join(lines)):
            return (HIDDEN,) * len(lines)
        return tuple(self.show(line) for line in lines)

    def holds(self, word: str) -> bool:
        """Whether a word is part of a secret that a person may have chosen."""
        return any(_letters(word) in text for text in self._texts)

    def _repeats(self, line: str) -> bool:
        if not self._pieces:
            return False
        if not self._encoded.isdisjoint(_pieces(_compact(line), _ENCODED_PIECE)):
            return True
        return any(self._occurs(reading) for reading in readings(line, ascii_only=self._ascii))

    def _occurs(self, reading: str) -> bool:
        return any(
            not known.isdisjoint(_pieces(normal, size))
            for normal in {reading.casefold(), _compact(reading), _letters(reading)}
            for size, known in self._pieces.items()
        )

    def _rebuild(self) -> None:
        self._pieces = {}
        for form in self._forms:
            for piece in form - self._public or form:
                self._pieces.setdefault(len(piece), set()).add(piece)


def _line(text: str, limit: int) -> str:
    if not text.isprintable():
        text = "".join(character if character.isprintable() else " " for character in text)
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def _normal_forms(text: str) -> set[str]:
    """Return the forms in which a secret is searched for: whole, without quoting, letters and digits alone.

    The last one is omitted if it would be too short, and hide too much.
    """
    letters, compact = _letters(text), _compact(text)
    wordy = len(letters) > _SHORTEST or len(letters) == len(compact)
    return {text.casefold(), compact, *((letters,) if wordy else ())}


def _size(text: str) -> int:
    if len(text) > _WORDY:
        return _LONG_PIECE
    return min(_PIECE, max(_SHORTEST, (len(text) + 1) // 2))


def _pieces(text: str, size: int) -> list[str]:
    """Return every piece of a text, or the text itself if it is shorter than one."""
    if len(text) <= size:
        return [text] if text else []
    return [text[start : start + size] for start in range(len(text) - size + 1)]


def _confidential(text: str) -> Iterator[str]:
    """Yield the secret parts of a secret: of a key in PEM (RFC 7468), or in Google's JSON, the key itself.

    Servers use the surrounding words too: a notice of an expiring certificate would be hidden.
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
    """Yield octets in base64, for each of the three offsets in a group.

    The characters at both ends are omitted if they depend on neighbouring octets.
    """
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + octets).decode().rstrip("=")
        certain = encoded[(0, 2, 3)[shift] : len(encoded) - bool((shift + len(octets)) % 3)]
        yield certain
        yield certain.replace("+", "-").replace("/", "_")


def _letters(text: str) -> str:
    """Only letters and digits, case-folded: separators and quoting do not count."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return _NEITHER.sub("", text).casefold()


def _compact(text: str) -> str:
    """All characters, case-folded, except blanks, quotes and backslashes, which servers add."""
    if not text.isprintable():
        text = "".join(c for c in text if c.isprintable() or c.isspace())
    return _QUOTING.sub("", text).casefold()
