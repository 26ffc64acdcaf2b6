"""Suggestions: the known word that is closest to an unknown one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable


COMPARISONS: Final = 100_000
"""The budget of comparisons for all hints of one check: about a second."""


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that is most similar to ``word``, ignoring case; None if none is close."""
    from difflib import get_close_matches  # noqa: PLC0415 - only mistakes need it

    by_folded = {item.casefold(): item for item in sorted(known)}
    found = get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.65)
    return by_folded[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint that asks for the closest known word, or an empty one."""
    found = closest(word, known)
    return f"Did you mean `{found}`?" if found else ""


class Hints:
    """Hints for many words.

    Where very many are wrong among very many, only the first get one: nobody reads thousands, and each
    word is compared with every known one.
    """

    def __init__(self, known: Iterable[str]) -> None:
        self._known = tuple(known)
        self._left = COMPARISONS
        self._told: dict[str, str] = {}

    def did_you_mean(self, word: str) -> str:
        """A hint that asks for the closest known word, or an empty one."""
        if word not in self._told:
            self._left -= len(self._known)
            self._told[word] = did_you_mean(word, self._known) if self._left >= 0 else ""
        return self._told[word]


def one_of(words: Iterable[str]) -> str:
    """Words as a sentence lists them: ``a``, ``b`` or ``c``."""
    *rest, last = [f"`{word}`" for word in words] or [""]
    return f"{', '.join(rest)} or {last}" if rest else last
