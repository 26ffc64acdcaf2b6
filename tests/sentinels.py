"""Secrets planted in every place that a secret can come from, and a search for traces of them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import lru_cache
from string import hexdigits
from typing import TYPE_CHECKING, Final

from tests.echoes import COVERED, NOT_COVERED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

PASSWORDS: Final[Mapping[str, str]] = {
    "by-env": "Zq7!kRv2-WxP9mT",
    "by-file": "hB4$wnJ8_Yc6LdGs",
    "by-keyring": "Vü9§zKx3+Qj5ñFtR",
    "by-command": "pT2#mCf7.XnD4vHk",
    "by-client-secret": "Wk8~rBz1.Gq6NxVj-0cLs",
    "by-refresh-token": "1//0fJ7pXwQz3-bNvKtYh5RmGd",
}
"""What the accounts of the same names sign in with, or ask for a token with."""

TOKENS: Final[Mapping[str, str]] = {
    "by-client-secret": "eyJxQ3.vT9kZw2.Rj6PbXn",
    "by-refresh-token": "ya29.kW5zHq8-TcX3vNpLd",
}
"""The access tokens that the token endpoint gives out."""

BYSTANDERS: Final[Mapping[str, str]] = {
    "GITHUB_TOKEN": "ghp_w7QzX2kVnB9tRmJ4",
    "AWS_SECRET_ACCESS_KEY": "nV3/xKq8Wz+T5bRjPd7L",
    "PGPASSWORD": "jG6%vXn2Qk-Rw9Tz",
    "CI_JOB_TOKEN": "glcbt-64_tQ8wXzK3vNj",
}
"""Variables of the environment that nothing refers to."""

FINGERPRINT_KEY: Final = "c7e19f3ab5d04826fe7718c2d96b30a45f8e12d7c0b9a3641e5d72f8936ab0c4"

SENTINELS: Final = (*PASSWORDS.values(), *TOKENS.values(), *BYSTANDERS.values(), FINGERPRINT_KEY)

_RUN: Final = 7
"""Characters in a row of a secret that must not be left."""

_HEXADECIMAL_RUN: Final = 14
"""The same of a secret of hexadecimal digits: a state is full of such digits, among which seven occur by chance."""

_ENCODED_RUN: Final = 10
"""The same of an encoding, unless half of it is more: shorter ones occur by chance, as in a time of day."""


def leaks(text: str) -> list[str]:
    """Name the sentinels with a piece in a text, each with its encoding."""
    small = text.casefold()
    found: set[str] = set()
    for start in range(0, len(small), _PAGE):
        found |= _leaks_of_page(small[start : start + _PAGE + _LONGEST])
    return [name for name in _FORMS if name in found]


@lru_cache(maxsize=8192)  # of a file that has changed, most pages are as they were
def _leaks_of_page(page: str) -> frozenset[str]:
    starts = {page[start : start + _RUN] for start in range(len(page) - _RUN + 1)}
    return frozenset(
        name
        for start in starts & _BY_START.keys()
        for piece, name in _BY_START[start]
        if piece in page
    )


def in_files(folder: Path, seen: dict[Path, tuple[int, int]]) -> Iterator[tuple[str, str]]:
    """Yield the text of every file below a folder that has changed since it was ``seen``, with its name."""
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        status = path.stat()
        stamp = (status.st_mtime_ns, status.st_size)
        if seen.get(path) != stamp:
            seen[path] = stamp
            yield str(path.relative_to(folder)), path.read_bytes().decode("utf-8", "replace")


def in_rows(state: Path) -> Iterator[tuple[str, str]]:
    """Yield every row of a state as text, with the name of its table."""
    with closing(sqlite3.connect(f"file:{state}?mode=ro", uri=True)) as database:
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            for row in database.execute(f'SELECT * FROM "{table}"'):
                cells = (
                    cell.decode("utf-8", "replace") if isinstance(cell, bytes) else str(cell)
                    for cell in row
                )
                yield f"{state.name}: {table}", "\n".join(cells)


def run_of(sentinel: str) -> int:
    """The number of characters in a row of a sentinel that count as a leak."""
    return _HEXADECIMAL_RUN if set(sentinel) <= set(hexdigits) else _RUN


def _pieces_of(form: str, size: int) -> set[str]:
    small = form.casefold()
    return {small[start : start + size] for start in range(len(small) - size + 1)}


def _forms() -> Iterator[tuple[str, set[str]]]:
    for number, sentinel in enumerate(SENTINELS):
        yield f"sentinel {number}", _pieces_of(sentinel, run_of(sentinel))
        for name, encode in (*COVERED.items(), *NOT_COVERED.items()):
            form = encode(sentinel)
            size = max(_ENCODED_RUN, len(form) // 2)
            ends = {form[:size], form[-size:], form[len(form) // 4 :][:size]}
            yield f"sentinel {number}, {name}", {end.casefold() for end in ends}


def _by_start() -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for name, pieces in _FORMS.items():
        for piece in pieces:
            found.setdefault(piece[:_RUN], []).append((piece, name))
    return found


_FORMS: Final = dict(_forms())
_BY_START: Final = _by_start()
"""Every piece with the name of its form, by its first characters."""

_LONGEST: Final = max(len(piece) for pieces in _FORMS.values() for piece in pieces)
_PAGE: Final = 4096
"""Characters that are searched at once, together with as many of the next as a piece may have."""
