"""The checks of all arguments and variables, before any command runs.

Python passes bytes that are

not UTF-8 as lone surrogates. They cannot be shown, stored or sent, and would fail later with an
unrelated exception.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from reconciler.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_PREFIX = "RECONCILER_"
_NO_TEXT = re.compile("[\0\ud800-\udfff]")

LARGEST_NUMBER = 2**31 - 1
"""The largest serial or count: PostgreSQL keeps serials in 32 bits."""


def whole_number(least: int = 0) -> click.IntRange:
    """The type of a serial or a count."""
    return click.IntRange(least, LARGEST_NUMBER)


def check_arguments(arguments: Iterable[str], environ: Mapping[str, str]) -> None:
    """Raise UsageError for an argument or a ``RECONCILER_`` variable that is not text.

    For ``sandbox``, only arguments before ``--`` are checked: the rest is for the program that it runs.
    """
    words = list(arguments)
    if words[:1] == ["sandbox"] and "--" in words:
        words = words[: words.index("--")]
    for number, word in enumerate(words, 1):
        if problem := no_text(word):
            raise UsageError(f"argument {number} {problem}", hint="Write it in UTF-8.")
    for name, value in environ.items():
        # The value is not shown: it may be a key.
        if name.startswith(_PREFIX) and (problem := no_text(name + value)):
            raise UsageError(f"{_printable(name)} {problem}", hint="Set it in UTF-8.")


def no_text(text: str) -> str:
    """Describe what makes a value invalid text; "" if it is valid."""
    found = _NO_TEXT.search(text)
    if found is None:
        return ""
    return "holds a NUL" if found[0] == "\0" else "is not UTF-8"


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
