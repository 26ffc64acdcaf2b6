"""The canonical spelling of an address as readers see it, however it is written."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from reconciler.model.domain import domain_key

QUOTING: Final = re.compile(r"[\"'`\\\u2018-\u201f]")
"""Symbols around or in an address that readers overlook."""
_DOTS: Final = str.maketrans(dict.fromkeys("\u3002\uff0e\uff61\u2024", "."))
_NOT_SEEN: Final = frozenset({"Cc", "Cf", "Co", "Cs"})
_IGNORED: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0") | {
    chr(code)
    for first, last in ((0x180B, 0x180F), (0xFE00, 0xFE0F))
    for code in range(first, last + 1)
}
"""Characters that Unicode counts as letters or marks, but that are invisible (Default_Ignorable_Code_Point)."""


def normal_address(address: str) -> str:
    """One spelling of an address: NFKC, unquoted, without case, the domain as A-labels (RFC 5891)."""
    local, _, domain = visible(QUOTING.sub("", address)).strip().rpartition("@")
    return f"{local.strip()}@{domain_key(domain.strip())}"


def visible(text: str) -> str:
    """Return a text as readers see it: NFKC, without case and invisible characters."""
    if text.isascii() and text.isprintable():
        return text.lower()
    spaced = "".join(c if c not in "\r\n\t" else " " for c in text.translate(_DOTS))
    kept = "".join(
        c for c in spaced if c not in _IGNORED and unicodedata.category(c) not in _NOT_SEEN
    )
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", kept).lower())
