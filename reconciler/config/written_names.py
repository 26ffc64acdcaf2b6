"""Finds the exact positions of names in a text, and the edits that change them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from reconciler.config.events import parsers, pieces
from reconciler.config.merge_keys import MERGE, UNDER_MERGE
from reconciler.config.plain_text import is_plain
from reconciler.diagnostics import Route

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ruamel.yaml.events import Event

    from reconciler.model.resource import JSON

FORMER: Final = "renamed_from"
"""The field with former names: a connector's own, or those of a table's rows."""

ROWS: Final = "connectors"
"""The field of a table that has the names of its connectors as keys."""

_BY_VARIABLE: Final = "it is set by a variable"
_BY_ALIAS: Final = "it is part of an anchor, an alias or a merge key"
_BY_BLOCK: Final = "it is not written on one line"
_EMPTY: Final = "`renamed_from` of the table is empty"
HAS_FORMER: Final = "`renamed_from` of an earlier rename is still there"
_TAG: Final = re.compile(r"!\S*\s+")
_LINE_END: Final = re.compile(r"\r\n|\r|\n")


class _WrittenScalar(Struct, frozen=True):
    """A scalar as written in the text, from ``start`` to ``end``, with its tag and its anchor."""

    value: str
    start: int
    end: int
    style: str | None
    anchored: bool


@dataclass(slots=True)
class WrittenNames:
    """What is written in a document, by route, without expanding aliases.

    ``block`` is the style of the document's mapping; None if it is not a mapping. ``column`` is
    that of its first field. ``columns`` has the column of the first key of each mapping; None
    if it is in brackets.
    """

    scalars: dict[Route, _WrittenScalar] = field(default_factory=dict)
    keys: dict[Route, _WrittenScalar] = field(default_factory=dict)
    columns: dict[Route, int | None] = field(default_factory=dict)
    anchored: set[Route] = field(default_factory=set)
    block: bool | None = None
    column: int | None = None

    def refusal(self, route: Route, name: str) -> str | None:
        """Why the name at a route cannot be replaced; None if it can be."""
        around = [route[:length] for length in range(len(route) + 1)]
        found = self.scalars.get(route)
        if found is None or found.anchored or not self.anchored.isdisjoint(around):
            return _BY_ALIAS
        if found.value != name:
            return _BY_VARIABLE
        if found.style in {"|", ">"}:
            return _BY_BLOCK
        return None

    def row_refusal(self, name: str, former: JSON) -> str | None:
        """Why a row of a table cannot get another name; None if it can."""
        key = self.keys.get((ROWS, name))
        if key is None or key.anchored or not self.anchored.isdisjoint({(), (ROWS,)}):
            return _BY_ALIAS
        if isinstance(former, dict) and name in former:
            return HAS_FORMER
        if former == {}:
            return _EMPTY
        written = any(route[:-1] == (FORMER,) for route in self.keys)
        return None if former is None or written else _BY_ALIAS

    def renamed_row(self, text: str, name: str, new: str) -> Iterator[tuple[int, int, str]]:
        """The edits that give a row another name, and note the former one in the table."""
        key = self.keys[ROWS, name]
        quote = key.style if key.style in {"'", '"'} else "" if is_plain(new) else '"'
        yield key.start, key.end, f"{quote}{new}{quote}"
        entry = ": ".join(item if is_plain(item) else f'"{item}"' for item in (new, name))
        noted = [route for route in self.keys if route[:-1] == (FORMER,)]
        before = self.keys[noted[0] if noted else (ROWS,)].start
        found = _LINE_END.search(text)
        end = found.group() if found else "\n"
        column = self.columns[(FORMER,) if noted else ()]
        written = entry if noted else f"{FORMER}: {{{entry}}}"
        yield before, before, f"{written}, " if column is None else f"{written}{end}{' ' * column}"

    def replaced(self, route: Route, text: str, new: str) -> tuple[int, int, str]:
        """The edit that writes a name, keeping its quotes."""
        found = self.scalars[route]
        tag = _TAG.match(text, found.start, found.end)
        start = tag.end() if tag else found.start
        quote = found.style if found.style in {"'", '"'} else "" if is_plain(new) else '"'
        return start, found.end, f"{quote}{new}{quote}"

    def inserted(self, text: str, former: str) -> tuple[int, int, str]:
        """The edit that writes the former name after the name."""
        end = self.scalars[("name",)].end
        written = f"{FORMER}: {former if is_plain(former) else chr(34) + former + chr(34)}"
        if not self.block:
            return end, end, f", {written}"
        line_end = _LINE_END.search(text, end)
        indent = " " * (self.column or 0)
        if line_end is None:
            return len(text), len(text), f"\n{indent}{written}"
        return line_end.end(), line_end.end(), f"{indent}{written}{line_end.group()}"


@dataclass(slots=True)
class _OpenLevel:
    """A mapping or a list that is being read."""

    route: Route
    is_mapping: bool
    in_brackets: bool
    key: str | None = None
    index: int = 0

    def take(self) -> Route:
        """The route of the next value."""
        if self.is_mapping:
            step: str | int = self.key or ""
            self.key = None
            return (*self.route, step)
        self.index += 1
        return (*self.route, self.index - 1)


def written_names(text: str) -> Iterator[WrittenNames]:
    """What is written in each document of a text."""
    start = 0
    for _, piece in pieces(text):
        yield from _walk(_events(piece), start)
        start += len(piece)


def _events(piece: str) -> list[Event]:
    *others, last = parsers(piece)
    for parse in others:
        try:
            return list(parse(piece))
        except YAMLError:
            continue  # the next one decides
    return list(last(piece))


def _walk(events: Sequence[Any], offset: int) -> Iterator[WrittenNames]:
    found: WrittenNames | None = None
    levels: list[_OpenLevel] = []
    for event in events:
        if isinstance(event, DocumentStartEvent):
            if found is not None:
                yield found
            found = WrittenNames()
        elif isinstance(event, MappingEndEvent | SequenceEndEvent):
            levels.pop()
        elif found is not None and isinstance(
            event, AliasEvent | ScalarEvent | MappingStartEvent | SequenceStartEvent
        ):
            _note(event, found, levels, offset)
    if found is not None:
        yield found


def _note(event: Any, found: WrittenNames, levels: list[_OpenLevel], offset: int) -> None:
    """Record one key or value."""
    level = levels[-1] if levels else None
    if level is not None and level.is_mapping and level.key is None:
        if found.column is None:
            found.column = event.start_mark.column
        level.key = _key(event)
        if isinstance(event, ScalarEvent):
            found.keys[*level.route, level.key] = _scalar(event, offset)
        first = event.start_mark.column
        found.columns.setdefault(level.route, None if level.in_brackets else first)
        return
    route = level.take() if level is not None else ()
    if isinstance(event, AliasEvent):
        return
    if isinstance(event, ScalarEvent):
        found.scalars[route] = _scalar(event, offset)
        return
    is_mapping = isinstance(event, MappingStartEvent)
    if event.anchor is not None:
        found.anchored.add(route)
    if not levels and is_mapping:
        found.block = not event.flow_style
    levels.append(_OpenLevel(route, is_mapping, in_brackets=bool(event.flow_style)))


def _scalar(event: Any, offset: int) -> _WrittenScalar:
    return _WrittenScalar(
        event.value,
        offset + event.start_mark.index,
        offset + event.end_mark.index,
        event.style,
        anchored=event.anchor is not None,
    )


def _key(event: Any) -> str:
    if isinstance(event, ScalarEvent) and not (event.value == MERGE and event.implicit[0]):
        return str(event.value)
    return UNDER_MERGE  # or an alias: no field that names something is written below it
