"""Finds the documents with texts that the checks must examine.

Most documents hold none, and examining each text of ten thousand documents in every check took
a third of a validation. So all texts are scanned once, briefly; no check of texts finds
anything in a document that is not listed here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from reconciler.ci_systems import has_command
from reconciler.config.text_fields import (
    ADDRESS_FIELDS,
    HOST_FIELDS,
    OPENING_QUOTES,
    REFERENCE_FIELDS,
    URL_FIELDS,
)
from reconciler.model.domain import is_valid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.config.raw import RawDocument
    from reconciler.model.resource import JSON

_USUAL_REFERENCES: Final = ("env:", "file:", "keyring:")
"""Prefixes of references that are allowed everywhere."""

_CHECKED_FIELDS: Final = ADDRESS_FIELDS | HOST_FIELDS | URL_FIELDS
_SIGNS: Final = ("$", "%", "{", "<", "`", "\n@", "\n_", "\n(", "\n[")
"""What placeholders contain or begin with; each text follows a line end."""
_AT_ONCE: Final = 100
"""Documents whose texts are looked at together."""

_QUOTES: Final = re.compile(f"[{OPENING_QUOTES}]")


class Conspicuous(Struct, frozen=True):
    """Documents by their id, grouped by what their texts may be: commands, placeholders, ...

    ``references`` are those with a reference of an unusual scheme, and ``domains`` those with
    an address, a host or a URL whose domain may not be valid.
    """

    commands: frozenset[int]
    meanings: frozenset[int]
    references: frozenset[int]
    domains: frozenset[int]


def conspicuous(raws: Sequence[RawDocument]) -> Conspicuous:
    """Scan every text of every document once; where many together hold nothing, all of them at once."""
    commands: set[int] = set()
    meanings: set[int] = set()
    references: set[int] = set()
    domains: set[int] = set()
    for start in range(0, len(raws), _AT_ONCE):
        portion = [_TextsOfDocument(raw) for raw in raws[start : start + _AT_ONCE]]
        references.update(item.key for item in portion if item.unusual_reference)
        domains.update(item.key for item in portion if item.unusual_domain)
        all_others = [text for item in portion for text in item.others]
        all_references = [text for item in portion for text in item.references]
        if any(_findings(all_others, all_references)):
            for item in portion:
                has_commands, has_meanings = _findings(item.others, item.references)
                commands.update((item.key,) if has_commands else ())
                meanings.update((item.key,) if has_meanings else ())
    return Conspicuous(
        frozenset(commands), frozenset(meanings), frozenset(references), frozenset(domains)
    )


def _findings(texts: list[str], references: list[str]) -> tuple[bool, bool]:
    """Whether some of the texts may be commands, and whether some may mean something else than they say."""
    others = "\n".join(("", *texts))
    joined = "\n".join((others, *references))
    has_signs = ":" in others or any(sign in joined for sign in _SIGNS)
    return has_command(joined), has_signs or _is_quoted(joined)


def _is_quoted(text: str) -> bool:
    return not text.isascii() and _QUOTES.search(text) is not None


class _TextsOfDocument:
    """The texts of a document: references of usual schemes, and all others."""

    __slots__ = ("key", "others", "references", "unusual_domain", "unusual_reference")

    def __init__(self, raw: RawDocument) -> None:
        self.key = id(raw)
        self.references: list[str] = []
        self.others: list[str] = []
        self.unusual_reference = False
        self.unusual_domain = False
        self._add(raw.value, "")

    def _add(self, value: JSON, field: str) -> None:
        """Add every text of a field's value."""
        if isinstance(value, list):
            self._add_items(value, field)
        elif isinstance(value, dict):
            others = self.others
            for key, item in value.items():
                if not isinstance(item, str):
                    self._add(item, key)
                elif key in REFERENCE_FIELDS:
                    self._add_reference(item)
                else:
                    others.append(item)
                    if key in _CHECKED_FIELDS:
                        self._check(item, key)

    def _add_items(self, items: list[JSON], field: str) -> None:
        for item in items:
            if not isinstance(item, str):
                self._add(item, field)
                continue
            self.others.append(item)
            if field in _CHECKED_FIELDS:
                self._check(item, field)

    def _add_reference(self, text: str) -> None:
        if text.startswith(_USUAL_REFERENCES):
            self.references.append(text)
        else:
            self.unusual_reference |= ":" in text
            self.others.append(text)

    def _check(self, text: str, field: str) -> None:
        if field in URL_FIELDS:
            self.unusual_domain |= not text.isascii()
        else:
            domain = text.rpartition("@")[2] if field in ADDRESS_FIELDS else text
            self.unusual_domain |= not is_valid(domain)
