"""Which documents hold texts that the checks must look at closely.

Most documents hold none, and looking at each text of ten thousand documents for every check in turn took a
third of a validation. So all of them are looked at once, briefly; in a document that is not named here, no
check of texts finds anything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

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
    from collections.abc import Iterable

    from reconciler.config.raw import RawDocument
    from reconciler.model.resource import JSON

_USUAL_REFERENCES: Final = ("env:", "file:", "keyring:")
"""How references begin that are allowed everywhere."""

_CHECKED_FIELDS: Final = ADDRESS_FIELDS | HOST_FIELDS | URL_FIELDS
_SIGNS: Final = ("$", "%", "{", "<", "`", "\n@", "\n_", "\n(", "\n[")
"""What placeholders hold, or begin with; a text stands after a line's end."""
_QUOTES: Final = re.compile(f"[{OPENING_QUOTES}]")


@dataclass(frozen=True, slots=True)
class Conspicuous:
    """Documents by their id: those whose texts may be commands, mean something else than they say, ...

    ``references`` are those with a reference that is not of a usual scheme, and ``domains`` those with an
    address, a host or a URL whose domain may not be valid.
    """

    commands: frozenset[int]
    meanings: frozenset[int]
    references: frozenset[int]
    domains: frozenset[int]


def conspicuous(raws: Iterable[RawDocument]) -> Conspicuous:
    """Look at every text of every document once."""
    commands, meanings, references, domains = set(), set(), set(), set()
    for raw in raws:
        texts = _TextsOfDocument()
        texts.add(raw.value, "")
        key = id(raw)
        others = "\n".join(("", *texts.others))
        joined = "\n".join((others, *texts.references))
        if has_command(joined):
            commands.add(key)
        if ":" in others or any(map(joined.__contains__, _SIGNS)) or _is_quoted(joined):
            meanings.add(key)
        if texts.unusual_reference:
            references.add(key)
        if texts.unusual_domain:
            domains.add(key)
    return Conspicuous(
        frozenset(commands), frozenset(meanings), frozenset(references), frozenset(domains)
    )


def _is_quoted(text: str) -> bool:
    return not text.isascii() and _QUOTES.search(text) is not None


class _TextsOfDocument:
    """The texts of a document: the references of usual schemes, and all others."""

    __slots__ = ("others", "references", "unusual_domain", "unusual_reference")

    def __init__(self) -> None:
        self.references: list[str] = []
        self.others: list[str] = []
        self.unusual_reference = False
        self.unusual_domain = False

    def add(self, value: JSON, field: str) -> None:
        """Add every text of a value, which stands in a field."""
        if isinstance(value, dict):
            for key, item in value.items():
                if not isinstance(item, str):
                    if isinstance(item, dict | list):
                        self.add(item, key)
                elif key in REFERENCE_FIELDS:
                    self._add_reference(item)
                else:
                    self.others.append(item)
                    if key in _CHECKED_FIELDS:
                        self._check(item, key)
        elif isinstance(value, list):
            self._add_items(value, field)

    def _add_items(self, items: list[JSON], field: str) -> None:
        for item in items:
            if not isinstance(item, str):
                self.add(item, field)
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
