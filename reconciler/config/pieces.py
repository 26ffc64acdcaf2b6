"""Configuration files, cut into the documents that may change."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from reconciler.config.events import pieces
from reconciler.config.expansion import TABLE
from reconciler.config.fitting import Made
from reconciler.config.plain_yaml import ReadOnce, read_documents
from reconciler.config.raw import RawDocument
from reconciler.config.unresolve import Written

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.config.meant import Meant
    from reconciler.model.address import Address
    from reconciler.model.resource import Resource

# In the common form: a line that is neither blank nor a comment nor the mark of a document.
_HOLDS_DOCUMENT: Final = re.compile(r"^(?!---$) *[^#\s]", re.MULTILINE)


@dataclass(slots=True)
class Piece:
    """A part of a file: one document, comments, or a whole file that does not change.

    ``raw`` is the document, unless the part does not change. ``single``: at most one document that
    may change. ``plain``: in the common form. ``made`` are its resources, ``rows`` the rows added to
    a table; ``inline`` says that it makes permissions.
    """

    text: str
    raw: RawDocument | None
    single: bool
    plain: bool = False
    made: Made = field(default_factory=dict)
    inline: bool = False
    rows: Written = field(default_factory=dict)

    @property
    def is_table(self) -> bool:
        """Whether it is a document that makes a connector from each row."""
        return self.raw is not None and self.raw.kind == TABLE


def unchanged(
    text: str, known: Meant, wanted: Mapping[Address, Resource], read_as: ReadOnce
) -> list[Piece]:
    """A file in the common form as one part, if all its resources are wanted unchanged; else nothing."""
    if not read_as.is_plain(text):
        return []
    made: dict[Address, Resource] = {}
    for raw in read_as(text, "").documents:
        found = known.by(raw)
        if found is None or any(wanted.get(address) != item for address, item in found.items()):
            return []
        made |= found
    return [Piece(text, None, single=True, made=made)]


def cut(text: str, read_as: ReadOnce) -> list[Piece]:
    """The parts of a file, parsed as a whole if it is in the common form."""
    parts = [part for _, part in pieces(text)]
    if read_as.is_plain(text):
        documents = read_as(text, "").documents
        holding = [_HOLDS_DOCUMENT.search(part) is not None for part in parts]
        if sum(holding) == len(documents):
            rest = iter(documents)
            return [
                Piece(part, next(rest) if holds else None, single=True, plain=True)
                for part, holds in zip(parts, holding, strict=True)
            ]
    found = []
    for part in parts:
        documents = read_documents(part, "").documents
        raw = documents[0] if documents else None
        found.append(Piece(part, raw, single=len(documents) <= 1))
    return found


def holds_documents(text: str, read_as: ReadOnce) -> bool:
    """Whether a text holds more than comments."""
    if read_as.is_plain(text):
        return bool(read_as(text, "").documents)
    return any(piece.raw is not None for piece in cut(text, read_as))
