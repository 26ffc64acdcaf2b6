"""The canonical layout of a YAML text: ruamel rewrites it, and only white space changes.

Each result is verified before it is used: the same characters in the same order, the same
values, and a layout that is stable when formatted again. A document that fails this check stays
as its author wrote it.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from ruamel.yaml import YAML
from ruamel.yaml.emitter import RoundTripEmitter
from ruamel.yaml.events import (
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.resolver import VersionedResolver
from ruamel.yaml.tag import Tag

from reconciler.config.events import pieces, reference
from reconciler.config.plain_layout import WIDTH, is_laid_out
from reconciler.config.plain_yaml import plain_documents, read_documents

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ruamel.yaml.events import Event

_END: Final = "\n"
_BLANK_TOP: Final = re.compile(r"\A(?:[ \t]*\n)+")
_MARKER: Final = re.compile(r"---[ \t]*(#[^\n]*)?(?:\n|$)")


class Left(Struct, frozen=True):
    """A document that was left unformatted: the reason, and the line that shows it."""

    line: int
    reason: str


class Formatted(Struct, frozen=True):
    """A formatted text, and the documents that were left unformatted."""

    text: str
    left: tuple[Left, ...] = ()


class _Refused(Exception):
    """A document cannot be formatted; the line counts from one in the given text."""

    def __init__(self, reason: str, line: int = 1) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line


def formatted(text: str) -> Formatted:
    """Format a YAML text; anything else is returned as it is."""
    if _is_laid_out(text):
        return Formatted(text)
    cut = tuple(pieces(text.replace("\r\n", "\n").replace("\r", "\n")))
    parts: list[str] = []
    left: list[Left] = []
    for number, (before, piece) in enumerate(cut, start=1):
        try:
            parts.append(_piece(piece, last=number == len(cut)))
        except _Refused as why:
            left.append(Left(before + why.line, why.reason))
            parts.append(piece)
    whole = "".join(parts)
    # One document may affect another, such as where it ends.
    if whole != text and _meaning(whole) != _meaning(text):
        return Formatted(text, (Left(1, _OTHERWISE),))
    return Formatted(whole, tuple(left))


_OTHERWISE: Final = "more than white space would change"
_NO_WAY: Final = "it cannot be formatted"


def _is_laid_out(text: str) -> bool:
    # Compare lines first, because that is cheaper than reading values.
    return is_laid_out(text) and plain_documents(text) is not None


def _piece(piece: str, *, last: bool) -> str:
    """Format a document, including its first line."""
    if _is_laid_out(piece):
        return piece
    marker = _MARKER.match(piece)
    if marker is None:
        if piece.startswith("---"):
            raise _Refused("it starts on the same line as its ---")
        return _document(piece, last=last)
    try:
        body = _document(piece[marker.end() :], last=last)
    except _Refused as why:
        raise _Refused(why.reason, why.line + 1) from None
    comment = f" {marker[1].rstrip()}" if marker[1] else ""
    return f"---{comment}\n{body}"


def _document(text: str, *, last: bool) -> str:
    """Format one document; the ``last`` one of a text has no trailing blank lines.

    Raises _Refused if more than white space would change.
    """
    try:
        new = _laid_out(text, last=last)
        again = new if new == text or _is_laid_out(new) else _laid_out(new, last=last)
    except Exception:  # noqa: BLE001 - ruamel's writer has its limits, and says so in many ways
        raise _Refused(_NO_WAY) from None
    if new == text:
        return text
    other = _first_difference(text, new)
    if other is not None or again != new or _meaning(new) != _meaning(text):
        raise _Refused(_OTHERWISE, other or 1)
    return new


def _first_difference(old: str, new: str) -> int | None:
    """The line of ``old`` in which more than white space differs; None if there is none."""
    rest = "".join(new.split())
    place = last = 0
    for line, written in enumerate(old.split("\n"), start=1):
        characters = "".join(written.split())
        if rest[place : place + len(characters)] != characters:
            return line
        place += len(characters)
        last = line if characters else last
    return last if place < len(rest) else None


def _meaning(text: str) -> object:
    composed = read_documents(text, "")
    return (
        [document.value for document in composed.documents],
        [item.rule for item in composed.diagnostics],
        composed.readable,
    )


def _laid_out(text: str, *, last: bool) -> str:
    text = _BLANK_TOP.sub("", text)
    if not text.strip():
        return "" if last else text
    writer = YAML(typ="rt", pure=True)
    writer.Emitter = _Emitter
    writer.Resolver = _Resolver
    writer.indent(mapping=2, sequence=4, offset=2)
    writer.width = WIDTH
    writer.preserve_quotes = True
    writer.allow_unicode = True
    writer.composer.warn_double_anchors = False  # the warning would quote the file
    data = writer.load(text)
    new = text
    if data is not None:
        stream = io.StringIO()
        writer.dump(data, stream)
        new = _with_comments_in_line(text, stream.getvalue())
    new = "".join(f"{line.rstrip(' ')}\n" for line in new.splitlines())
    return f"{new.rstrip(_END)}\n" if last else new


class _Emitter(RoundTripEmitter):
    """Never folds text: folded text cannot be searched for."""

    def write_plain(self, text: str, split: bool = True) -> None:  # noqa: FBT001, FBT002 - ruamel's
        self._unfolded(super().write_plain, text, split)

    def write_single_quoted(self, text: str, split: bool = True) -> None:  # noqa: FBT001, FBT002
        self._unfolded(super().write_single_quoted, text, split)

    def write_double_quoted(self, text: str, split: bool = True) -> None:  # noqa: FBT001, FBT002
        self._unfolded(super().write_double_quoted, text, split)

    def _unfolded(self, write: Any, text: str, split: bool) -> None:  # noqa: FBT001
        width, self.best_width = self.best_width, 1 << 30
        try:
            write(text, split)
        finally:
            self.best_width = width


class _Resolver(VersionedResolver):
    """Treats every scalar as text, so that its characters are preserved."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        if kind is ScalarNode:
            return Tag(suffix="tag:yaml.org,2002:str")
        return super().resolve(kind, value, implicit)


# --- comments on lines of their own, which ruamel leaves in their old column ---


@dataclass(slots=True)
class _Block:
    """A mapping or sequence in block style: its column, and the first and the last line that it fills."""

    column: int
    first: int
    last: int


@dataclass(slots=True)
class _Outline:
    """The blocks of a text in order, and the lines that hold a comment and nothing else."""

    blocks: list[_Block] = field(default_factory=list)
    comments: list[int] = field(default_factory=list)
    filled: list[int] = field(default_factory=list)


def _with_comments_in_line(old: str, new: str) -> str:
    """Indent each comment like the block that it was aligned with.

    A comment that continues one at the end of the line above stays below that one.
    """
    if "#" not in old:
        return new
    before = _outline(old)
    after = before if new == old else _outline(new)
    if len(before.comments) != len(after.comments) or len(before.blocks) != len(after.blocks):
        raise ValueError("a comment or a value would be lost")
    written, lines = old.split("\n"), new.split("\n")
    beside: dict[int, int] = {}
    for was, now in zip(before.comments, after.comments, strict=True):
        column = len(written[was]) - len(written[was].lstrip(" "))
        above = written[was - 1] if was else ""
        place = -1
        if above[column : column + 1] == "#":
            goes_on = not above[:column].strip()
            place = (
                beside.get(was - 1, -1) if goes_on else lines[now - 1].find(above[column:].rstrip())
            )
        beside[was] = place
        if place < 0:
            block = _block_of(was, column, before)
            place = after.blocks[block].column if block is not None else 0
        lines[now] = " " * place + lines[now].lstrip(" ")
    return "\n".join(lines)


def _block_of(line: int, column: int, outline: _Outline) -> int | None:
    """The block that a comment belongs to: that of the field below it, if they are in line.

    Else, of the blocks around it, the innermost that is not to the right of it.
    """
    above = max((number for number in outline.filled if number < line), default=-1)
    below = min((number for number in outline.filled if number > line), default=-1)
    around = [
        (
            block.first <= below <= block.last and block.column == column,
            block.column,
            number,
        )
        for number, block in enumerate(outline.blocks)
        if any(block.first <= place <= block.last for place in (above, below) if place >= 0)
        and block.column <= column
    ]
    return max(around)[2] if around else None


def _outline(text: str) -> _Outline:
    found = _Outline()
    within: set[int] = set()
    filled: set[int] = set()
    stack: list[_Block | None] = []
    for event in reference(text):
        match event:
            case MappingStartEvent() | SequenceStartEvent():
                _open(event, found, stack)
            case MappingEndEvent() | SequenceEndEvent():
                stack.pop()
        for number in _lines(event):
            filled.add(number)
            for block in stack:
                if block is not None:
                    block.last = max(block.last, number)
        if isinstance(event, ScalarEvent):
            within.update(list(_lines(event))[1:])
    found.filled = sorted(filled)
    found.comments = [
        number
        for number, line in enumerate(text.split("\n"))
        if line.lstrip(" \t").startswith("#") and number not in within
    ]
    return found


def _open(event: Any, found: _Outline, stack: list[_Block | None]) -> None:
    if event.flow_style:
        stack.append(None)
        return
    block = _Block(event.start_mark.column, event.start_mark.line, event.start_mark.line)
    found.blocks.append(block)
    stack.append(block)


def _lines(event: Event) -> Iterator[int]:
    """The lines that a scalar, or the beginning of a mapping or sequence, fills."""
    if isinstance(event, ScalarEvent):
        end = event.end_mark
        yield from range(event.start_mark.line, end.line + bool(end.column))
    elif isinstance(event, (MappingStartEvent, SequenceStartEvent)):
        yield event.start_mark.line
