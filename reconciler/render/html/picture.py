"""Who sends as whom, as a picture: senders on the left, their outgoing addresses on the right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from reconciler.model.domain import with_a_label

if TYPE_CHECKING:
    from reconciler.plan.document import RouteDocument
    from reconciler.render.human.routes import SenderLine

MOST: Final = 40
"""The maximum number of senders for a readable picture."""

_ROW: Final = 44
_LONGEST: Final = 38


class Node(Struct, frozen=True):
    """A box with a text, and its vertical centre; ``full`` is the text before it was shortened."""

    text: str
    full: str
    y: int
    refused: bool = False


class Arrow(Struct, frozen=True):
    """From a sender to an end: *same*, *new* or *gone*."""

    start: int
    end: int
    kind: str


class Picture(Struct, frozen=True):
    """The drawing; heights are in units of the picture, which is 900 wide."""

    height: int
    senders: tuple[Node, ...]
    ends: tuple[Node, ...]
    arrows: tuple[Arrow, ...]


def picture(lines: list[SenderLine]) -> Picture | None:
    """Draw all senders if they are few, else those that change; None if there are none or too many."""
    shown = lines if len(lines) <= MOST else [line for line in lines if line.mark != " "]
    if not 0 < len(shown) <= MOST:
        return None
    places: dict[str, int] = {}
    ways: list[tuple[int, str, str]] = []
    for number, line in enumerate(shown):
        before = _end(line.before) if line.before is not None and line.mark in "~-" else ""
        after = _end(line.after) if line.after is not None else ""
        for end in (before, after):
            if end:
                places.setdefault(end, len(places))
        if before and before != after:
            ways.append((number, before, "gone"))
        if after:
            ways.append((number, after, "same" if line.mark == " " or before == after else "new"))
    height = max(len(shown), len(places)) * _ROW
    left = [_y(number, len(shown), height) for number in range(len(shown))]
    right = {end: _y(place, len(places), height) for end, place in places.items()}
    return Picture(
        height,
        tuple(_node(with_a_label(line.sender), y) for line, y in zip(shown, left, strict=True)),
        tuple(_node(end, y) for end, y in right.items()),
        tuple(Arrow(left[number], right[end], kind) for number, end, kind in ways),
    )


def _y(place: int, count: int, height: int) -> int:
    return int((place + 0.5) * height / count)


def _node(text: str, y: int) -> Node:
    short = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    return Node(short, text, y, refused=text == _REFUSED)


_REFUSED: Final = "refused"


def _end(row: RouteDocument) -> str:
    if row.as_address is None or row.via is None:
        return _REFUSED
    return f"{with_a_label(row.as_address)}, by {row.via}"
