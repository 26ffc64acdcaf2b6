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

_WITH_DOMAINS: Final = ADDRESS_FIELDS | HOST_FIELDS
_NOT_PLAIN: Final = re.compile(rf"[$%{{<{OPENING_QUOTES}]|^[@_(\[]", re.MULTILINE)


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
        joined = "\n".join(texts.others)
        referring = "\n".join(texts.references)
        if has_command(joined) or has_command(referring):
            commands.add(key)
        if ":" in joined or _NOT_PLAIN.search(joined) or _NOT_PLAIN.search(referring):
            meanings.add(key)
        if texts.unusual_reference:
            references.add(key)
        if texts.unusual_domain:
            domains.add(key)
    return Conspicuous(
        frozenset(commands), frozenset(meanings), frozenset(references), frozenset(domains)
    )


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
                if type(item) is not str:
                    self.add(item, key)
                elif key not in REFERENCE_FIELDS:
                    self._add_other(item, key)
                elif item.startswith(_USUAL_REFERENCES):
                    self.references.append(item)
                else:
                    self.unusual_reference |= ":" in item
                    self.others.append(item)
        elif isinstance(value, list):
            for item in value:
                self.add(item, field)
        elif isinstance(value, str):
            self._add_other(value, field)

    def _add_other(self, text: str, field: str) -> None:
        self.others.append(text)
        if field in _WITH_DOMAINS:
            domain = text.rpartition("@")[2] if field in ADDRESS_FIELDS else text
            self.unusual_domain |= not is_valid(domain)
        elif field in URL_FIELDS:
            self.unusual_domain |= not text.isascii()
