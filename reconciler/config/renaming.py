"""Renaming a resource in the text of a file: the scalars that name it change, and nothing else.

Comments, quotes and layout stay. That is proved for each file before it is taken: read again, its documents
are those of before but for the name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

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

from reconciler.config.compose import compose
from reconciler.config.documents import kind_of
from reconciler.config.events import parsers, pieces
from reconciler.config.merge_keys import MERGE, UNDER_MERGE
from reconciler.config.template_documents import TABLE, TEMPLATE
from reconciler.config.variables import substitute
from reconciler.config.yaml_text import is_plain
from reconciler.diagnostics import Route
from reconciler.model.address import Address, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ruamel.yaml.events import Event

    from reconciler.config.raw import RawDocument
    from reconciler.config.variables import Variables
    from reconciler.model.resource import JSON

ANY_ITEM: Final = "*"
"""Stands for every item of a list in the routes of :data:`NAMES`."""

_SETTINGS: Final[dict[tuple[str, ...], Kind]] = {
    ("provider",): Kind.PROVIDER,
    ("permissions", "administrators", "groups", ANY_ITEM): Kind.GROUP,
    ("permissions", "users", "groups", ANY_ITEM): Kind.GROUP,
}

NAMES: Final[dict[str, dict[tuple[str, ...], Kind]]] = {
    TEMPLATE: _SETTINGS,
    TABLE: _SETTINGS,
    Kind.EMAIL_CONNECTOR: {("name",): Kind.EMAIL_CONNECTOR, **_SETTINGS},
    Kind.PERMISSIONS: {
        ("connector",): Kind.EMAIL_CONNECTOR,
        ("administrators", "groups", ANY_ITEM): Kind.GROUP,
        ("users", "groups", ANY_ITEM): Kind.GROUP,
    },
    Kind.GLOBAL_SMTP_POLICY: {
        ("connector",): Kind.EMAIL_CONNECTOR,
        ("fallback_connector",): Kind.EMAIL_CONNECTOR,
    },
    Kind.GROUP: {("name",): Kind.GROUP, ("members", "groups", ANY_ITEM): Kind.GROUP},
    Kind.ROLES: {
        ("administrators", "groups", ANY_ITEM): Kind.GROUP,
        ("manage_data_sources", "groups", ANY_ITEM): Kind.GROUP,
    },
    Kind.PROVIDER: {("name",): Kind.PROVIDER},
    Kind.APPLICATION: {("name",): Kind.APPLICATION},
}
"""The fields of each kind that name a resource, and of which kind that is; a test compares them with the model."""

_FORMER: Final = "renamed_from"
_BY_VARIABLE: Final = "it is set by a variable"
_BY_ALIAS: Final = "it is part of an anchor, an alias or a merge key"
_BY_BLOCK: Final = "it is not written on one line"
_HAS_FORMER: Final = "`renamed_from` of an earlier rename is still there"
_OTHERWISE: Final = "more than the name would change"
_TAG: Final = re.compile(r"!\S*\s+")
_LINE_END: Final = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Obstacle:
    """A place where a name cannot be changed, as ``file:line:column``, and why."""

    place: str
    reason: str


@dataclass(frozen=True, slots=True)
class RenamedText:
    """A text after a rename; ``places`` counts the names that changed. With obstacles it is unchanged.

    ``declares`` tells that the resource itself is in it, not only names of it.
    """

    text: str
    places: int = 0
    declares: bool = False
    obstacles: tuple[Obstacle, ...] = ()


def rename_in(
    text: str, file: str, address: Address, new: str, variables: Sequence[Variables]
) -> RenamedText:
    """Give a resource another name wherever a text names it; its connector gets a ``renamed_from`` too.

    The text must be part of a valid configuration. ``variables`` are those of every environment: a name that
    one of them sets is an obstacle.
    """
    documents = [item for item in compose(text, file).documents if isinstance(item.value, dict)]
    walks = [item for item in _documents(text) if item.block is not None]
    edits: list[tuple[int, int, str]] = []
    obstacles: list[Obstacle] = []
    expected: list[JSON] = []
    places = 0
    there = False
    for document, walk in zip(documents, walks, strict=True):
        value = document.value
        for route in _routes(document, address, variables):
            reason = walk.refusal(route, address.name)
            declares = _declares(document, route, address)
            if reason is None and declares and _FORMER in _mapping(document.value):
                reason, route = _HAS_FORMER, (_FORMER,)  # noqa: PLW2901 - the place to look at
            if reason is not None:
                obstacles.append(_obstacle(document, route, reason))
                continue
            edits.append(walk.replaced(route, text, new))
            value = _with(value, route, new)
            places += 1
            if declares:
                there = True
                edits.append(walk.inserted(text, address.name))
                value = {**_mapping(value), _FORMER: address.name}
        expected.append(value)
    if obstacles or not edits:
        return RenamedText(text, obstacles=tuple(obstacles))
    changed = text
    for start, end, written in sorted(edits, reverse=True):
        changed = changed[:start] + written + changed[end:]
    again = compose(changed, file)
    if not again.readable or again.diagnostics or [d.value for d in again.documents] != expected:
        return RenamedText(text, obstacles=(Obstacle(file, _OTHERWISE),))
    return RenamedText(changed, places, there)


def _routes(
    document: RawDocument, address: Address, variables: Sequence[Variables]
) -> Iterator[Route]:
    """Where a document names a resource, in one environment at least."""
    kind = _mapping(document.value).get("kind")
    if not isinstance(kind, str) or kind not in NAMES:
        return
    values = [document.value, *(substitute(document, item)[0].value for item in variables)]
    for pattern, of in NAMES[kind].items():
        if of is address.kind:
            found = {route: None for value in values for route, name in _at(value, pattern)
                     if name == address.name}  # fmt: skip
            yield from found


def _at(value: JSON, pattern: tuple[str, ...], route: Route = ()) -> Iterator[tuple[Route, JSON]]:
    if not pattern:
        yield route, value
    elif isinstance(value, list) and pattern[0] == ANY_ITEM:
        for index, item in enumerate(value):
            yield from _at(item, pattern[1:], (*route, index))
    elif isinstance(value, dict) and pattern[0] in value:
        yield from _at(value[pattern[0]], pattern[1:], (*route, pattern[0]))


def _declares(document: RawDocument, route: Route, address: Address) -> bool:
    """Whether the name at a route is that of the connector which the document is."""
    connector = kind_of(document.value) is Kind.EMAIL_CONNECTOR is address.kind
    return connector and route == ("name",)


def _mapping(value: JSON) -> dict[str, JSON]:
    return value if isinstance(value, dict) else {}


def _with(value: JSON, route: Route, new: str) -> JSON:
    """A copy of a value in which one text is another."""
    if not route:
        return new
    if isinstance(value, dict):
        return {key: _with(item, route[1:], new) if key == route[0] else item
                for key, item in value.items()}  # fmt: skip
    if isinstance(value, list):
        return [_with(item, route[1:], new) if index == route[0] else item
                for index, item in enumerate(value)]  # fmt: skip
    return value


def _obstacle(document: RawDocument, route: Route, reason: str) -> Obstacle:
    at = document.positions.of(route)
    return Obstacle(f"{document.file}:{at.line}:{at.column}", reason)


@dataclass(frozen=True, slots=True)
class _Scalar:
    """A scalar as it stands in the text, from ``start`` to ``end``, with its tag and its anchor."""

    value: str
    start: int
    end: int
    style: str | None
    anchored: bool


@dataclass(slots=True)
class _Written:
    """What is written out in a document, by route; what an alias stands for is not.

    ``block`` tells how the mapping of the document is written; None if it is none. ``column`` is that of its
    first field.
    """

    scalars: dict[Route, _Scalar] = field(default_factory=dict)
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

    def replaced(self, route: Route, text: str, new: str) -> tuple[int, int, str]:
        """The edit that writes a name, between the quotes that are there."""
        found = self.scalars[route]
        tag = _TAG.match(text, found.start, found.end)
        start = tag.end() if tag else found.start
        quote = found.style if found.style in {"'", '"'} else "" if is_plain(new) else '"'
        return start, found.end, f"{quote}{new}{quote}"

    def inserted(self, text: str, former: str) -> tuple[int, int, str]:
        """The edit that writes the former name behind the name."""
        end = self.scalars[("name",)].end
        written = f"{_FORMER}: {former if is_plain(former) else chr(34) + former + chr(34)}"
        if not self.block:
            return end, end, f", {written}"
        line_end = _LINE_END.search(text, end)
        indent = " " * (self.column or 0)
        if line_end is None:
            return len(text), len(text), f"\n{indent}{written}"
        return line_end.end(), line_end.end(), f"{indent}{written}{line_end.group()}"


@dataclass(slots=True)
class _Level:
    """A mapping or a list that is being read."""

    route: Route
    is_mapping: bool
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


def _documents(text: str) -> Iterator[_Written]:
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


def _walk(events: Sequence[Any], offset: int) -> Iterator[_Written]:
    found: _Written | None = None
    levels: list[_Level] = []
    for event in events:
        if isinstance(event, DocumentStartEvent):
            if found is not None:
                yield found
            found = _Written()
        elif isinstance(event, MappingEndEvent | SequenceEndEvent):
            levels.pop()
        elif found is not None and isinstance(
            event, AliasEvent | ScalarEvent | MappingStartEvent | SequenceStartEvent
        ):
            _note(event, found, levels, offset)
    if found is not None:
        yield found


def _note(event: Any, found: _Written, levels: list[_Level], offset: int) -> None:
    """Take one key or value down."""
    level = levels[-1] if levels else None
    if level is not None and level.is_mapping and level.key is None:
        if found.column is None:
            found.column = event.start_mark.column
        level.key = _key(event)
        return
    route = level.take() if level is not None else ()
    if isinstance(event, AliasEvent):
        return
    if isinstance(event, ScalarEvent):
        found.scalars[route] = _Scalar(
            event.value,
            offset + event.start_mark.index,
            offset + event.end_mark.index,
            event.style,
            anchored=event.anchor is not None,
        )
        return
    is_mapping = isinstance(event, MappingStartEvent)
    if event.anchor is not None:
        found.anchored.add(route)
    if not levels and is_mapping:
        found.block = not event.flow_style
    levels.append(_Level(route, is_mapping))


def _key(event: Any) -> str:
    if isinstance(event, ScalarEvent) and not (event.value == MERGE and event.implicit[0]):
        return str(event.value)
    return UNDER_MERGE  # or an alias: no field that names something is written below it
