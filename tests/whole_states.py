"""Whole states in memory, which the program only ever reads a part at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconciler.state.export_file import verified
from reconciler.state.export_text import text_pieces
from reconciler.state.exported import PARTS, StateExport

if TYPE_CHECKING:
    from reconciler.state.base import StateReader
    from reconciler.state.exported import WholeState


@dataclass(frozen=True)
class Text:
    """A file that is a text."""

    octets: bytes
    name: str = "state.json"

    def read(self, at: int, size: int) -> bytes:
        return self.octets[at : at + size]


def collected(whole: WholeState) -> StateExport:
    """All of a state at once."""
    parts: dict[str, Any] = {name: tuple(getattr(whole, name)) for name in PARTS}
    return StateExport(lineage=whole.lineage, serial=whole.serial, **parts)


def export_of(store: StateReader) -> StateExport:
    """What a store exports."""
    with store.export() as whole:
        return collected(whole)


def salvage_of(store: StateReader) -> StateExport:
    """What can still be read of a damaged store."""
    with store.salvage() as whole:
        return collected(whole)


def to_text(whole: WholeState) -> str:
    """The text of an export."""
    return "".join(text_pieces(whole, tool_version="1.2.3"))


def from_text(text: str | bytes) -> StateExport:
    """Verify the text of an export, and read it."""
    return collected(verified(Text(text if isinstance(text, bytes) else text.encode())))
