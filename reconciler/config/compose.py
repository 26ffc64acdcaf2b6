"""Documents from YAML events: plain values with their positions, in one walk.

The walk keeps its own stack and counts expanded aliases, so the memory and time that it takes
stay proportional to the length of the file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from reconciler.config.events import SyntaxProblem, parsers, pieces
from reconciler.config.merge_keys import (
    MERGE,
    UNDER_MERGE,
    MergedMapping,
    Takeover,
    merged_mappings,
)
from reconciler.config.positions import Place, Position, Positions
from reconciler.config.raw import MAX_FOR_REFERENCE, Composed, RawDocument, showable
from reconciler.config.rules import problem
from reconciler.config.scalars import STRING_TAG, TAGS, NumberOutOfReach, has_tag, resolve
from reconciler.diagnostics import Diagnostic, Route
from reconciler.model.resource import JSON

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ruamel.yaml.events import Event

    from reconciler.config.scalars import Scalar

MAX_DEPTH: Final = 32
"""The limit on nesting; no valid document is deeper than 4."""
MAX_ALIASES: Final = 100
"""How many aliases a document may use."""
MAX_ALIASED: Final = 10_000
"""How many values the aliases of a document may expand to, in total."""
MAX_PROBLEMS: Final = 100
"""How many problems of a file are reported before the rest is skipped."""

_YAML_1_2: Final = (1, 2)
_NONSPECIFIC: Final = "!"
_MAPPING_TAG: Final = "tag:yaml.org,2002:map"
_SEQUENCE_TAG: Final = "tag:yaml.org,2002:seq"
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def compose(text: str, file: str) -> Composed:
    """Read all documents of a YAML text; ``file`` is the name that diagnostics show."""
    if len(text) <= MAX_FOR_REFERENCE:
        return _compose(text, file)
    documents: list[RawDocument] = []
    diagnostics: tuple[Diagnostic, ...] = ()
    for line, piece in pieces(text):
        composed = _compose(piece, file, line, diagnostics)
        documents += composed.documents
        diagnostics = composed.diagnostics
        if not composed.readable:
            return Composed(tuple(documents), diagnostics, readable=False)
    return Composed(tuple(documents), diagnostics, readable=True)


def _compose(
    text: str, file: str, line: int = 0, diagnostics: tuple[Diagnostic, ...] = ()
) -> Composed:
    """Continue after that many lines of a file, with the problems found so far."""
    *others, last = parsers(text)
    for parse in others:
        try:
            return _Composer(file, line, list(diagnostics)).run(parse(text))
        except YAMLError:
            continue  # try the next one
    return _Composer(file, line, list(diagnostics)).run(last(text))


class _Stop(Exception):
    """Stop reading this file; the diagnostic is already reported."""


class _NoKey(Enum):
    """Sentinels for a key: a key is expected next, or the key is a merge key."""

    NO_KEY = 0
    MERGE_KEY = 1


_NO_KEY: Final = _NoKey.NO_KEY
_MERGE_KEY: Final = _NoKey.MERGE_KEY
_NOWHERE: Final = Position(0, 0)


@dataclass(slots=True)
class _Frame:
    """A mapping or a sequence that is being read. ``lost``: no route leads to it."""

    value: dict[str, JSON] | list[JSON]
    route: Route
    start: Position
    anchor: str | None
    lost: bool
    weight: int = 1
    key: str | _NoKey | None = _NO_KEY  # None: a rejected key, so that its value is lost
    key_start: Position = _NOWHERE
    merged: tuple[MergedMapping, ...] | None = None  # None: without a merge key

    @property
    def wants_key(self) -> bool:
        return self.key is _NO_KEY and isinstance(self.value, dict)

    @property
    def holds_key(self) -> bool:
        return self.key is not _NO_KEY

    def route_of_next(self) -> Route | None:
        """The route of the next value; None if the value will be dropped."""
        if self.lost:
            return None
        if isinstance(self.value, list):
            return (*self.route, len(self.value))
        if self.key is _MERGE_KEY:
            return (*self.route, UNDER_MERGE)
        if isinstance(self.key, str) and self.key not in self.value:
            return (*self.route, self.key)
        return None


@dataclass(slots=True)
class _Anchored:
    value: JSON
    weight: int
    route: Route | None


@dataclass(slots=True)
class _Composer:
    file: str
    line: int = 0
    diagnostics: list[Diagnostic] = field(default_factory=list)
    documents: list[RawDocument] = field(default_factory=list)

    # of the document that is being read
    stack: list[_Frame] = field(default_factory=list)
    anchors: dict[str, _Anchored] = field(default_factory=dict)
    places: dict[Route, Place] = field(default_factory=dict)
    root: JSON = None
    whole: bool = True
    aliases: int = 0
    aliased: int = 0
    written: dict[Route, Route] = field(default_factory=dict)  # of aliases: where their values are

    def run(self, events: Iterable[Event]) -> Composed:
        handlers: dict[type, Callable[[Any], None]] = {
            ScalarEvent: self._scalar,
            MappingStartEvent: self._open,
            SequenceStartEvent: self._open,
            MappingEndEvent: self._close,
            SequenceEndEvent: self._close,
            AliasEvent: self._alias,
            DocumentStartEvent: self._begin,
            DocumentEndEvent: self._end,
        }
        readable = True
        try:
            for event in events:
                if handler := handlers.get(type(event)):
                    handler(event)
        except SyntaxProblem as error:
            at = Position(self.line + error.line, error.column)
            self.diagnostics.append(_told(error.rule, self.file, at, error.message, error.hint))
            readable = False
        except _Stop:
            readable = False
        return Composed(tuple(self.documents), tuple(self.diagnostics), readable)

    def _position(self, event: Any) -> Position:
        mark = event.start_mark
        return Position(self.line + mark.line + 1, mark.column + 1)

    def _report(self, rule: str, at: Position, message: str, hint: str) -> None:
        if len(self.diagnostics) >= MAX_PROBLEMS:
            raise _Stop
        self.diagnostics.append(_told(rule, self.file, at, message, hint))

    # --- documents ---

    def _begin(self, event: Any) -> None:
        self.stack, self.anchors, self.places = [], {}, {}
        self.root, self.whole, self.aliases, self.aliased, self.written = None, True, 0, 0, {}
        if event.version is not None and tuple(event.version) != _YAML_1_2:
            message = "The document declares a YAML version other than 1.2."
            hint = "Delete the %YAML directive."
            self._report("yaml/version", self._position(event), message, hint)

    def _end(self, _event: Any) -> None:
        if self.root is not None:  # a document may be empty
            positions = Positions(self.places)
            self.documents.append(RawDocument(self.root, self.file, positions, whole=self.whole))

    # --- nodes ---

    def _scalar(self, event: Any) -> None:
        start = self._position(event)
        if event.value == MERGE and event.implicit[0] and self.stack and self.stack[-1].wants_key:
            self.stack[-1].key, self.stack[-1].key_start = _MERGE_KEY, start
            return
        value = self._value_of(event, start)
        if not event.value and value is None and self.stack and self.stack[-1].holds_key:
            start = self.stack[-1].key_start  # the value is missing
        self._add(value, start, anchor=event.anchor)

    def _value_of(self, event: Any, start: Position) -> Scalar:
        text: str = event.value
        if not text.isascii() and _SURROGATE.search(text):
            message = "An escape in this text encodes half a character."
            hint = "Write the character itself, or \\U and its eight digits."
            self._report("yaml/character", start, message, hint)
            return _SURROGATE.sub("?", text)
        tag = event.tag
        if tag is None:
            return self._resolved(text, start) if event.implicit[0] else text
        if tag in {_NONSPECIFIC, STRING_TAG}:
            return text
        value = self._resolved(text, start) if tag in TAGS else text
        if tag not in TAGS or not has_tag(value, tag):
            self._refuse_tag(start)
        return value

    def _resolved(self, text: str, start: Position) -> Scalar:
        try:
            return resolve(text)
        except NumberOutOfReach:
            message = "This number is infinite, not a number, or too large to be exact."
            self._report("yaml/number", start, message, "Put it in quotes if it is text.")
            return text

    def _open(self, event: Any) -> None:
        start = self._position(event)
        if len(self.stack) >= MAX_DEPTH:
            message = f"Values are nested deeper than {MAX_DEPTH} levels."
            self._report("yaml/depth", start, message, "No document needs more than a few.")
            raise _Stop
        is_mapping = type(event) is MappingStartEvent
        if event.tag is not None and str(event.tag) not in {
            _NONSPECIFIC,
            _MAPPING_TAG if is_mapping else _SEQUENCE_TAG,
        }:
            self._refuse_tag(start)
        if event.anchor is not None:  # it is undefined within itself
            self.anchors.pop(event.anchor, None)
        route = self.stack[-1].route_of_next() if self.stack else ()
        self.stack.append(
            _Frame(
                value={} if is_mapping else [],
                route=route or (),
                start=start,
                anchor=event.anchor,
                lost=route is None,
            )
        )

    def _close(self, _event: Any) -> None:
        frame = self.stack.pop()
        if frame.merged and isinstance(frame.value, dict):
            route = None if frame.lost else frame.route
            takeover = Takeover(frame.value, route, self.places, self.written)
            for merged in frame.merged:
                takeover.take(merged)
        self._add(frame.value, frame.start, anchor=frame.anchor, weight=frame.weight, scalar=False)

    def _alias(self, event: Any) -> None:
        start = self._position(event)
        target = self.anchors.get(event.anchor)
        if target is None:
            message = "The alias has no anchor before it."
            hint = "Put a value that begins with * in quotes."
            if any(frame.anchor == event.anchor for frame in self.stack):
                message = "The alias stands within the value that it stands for."
                hint = "Write the value out."
            self._report("yaml/alias", start, message, hint)
            self.whole = False
            if self.stack and self.stack[-1].key is _MERGE_KEY:
                self.stack[-1].key = None
            self._add("", start, anchor=None)
            return
        self.aliases += 1
        self.aliased += target.weight
        if self.aliases > MAX_ALIASES or self.aliased > MAX_ALIASED:
            message = (
                f"The document uses more than {MAX_ALIASES} aliases, or they expand to more than "
                f"{MAX_ALIASED:,} values."
            )
            self._report("yaml/alias-expansion", start, message, "Write the values out.")
            raise _Stop
        route = self.stack[-1].route_of_next() if self.stack else None
        if route is not None and target.route is not None:
            self.written[route] = target.route
        self._add(target.value, start, anchor=None, weight=target.weight)

    def _add(
        self,
        value: JSON,
        start: Position,
        *,
        anchor: str | None,
        weight: int = 1,
        scalar: bool = True,
    ) -> None:
        """Add a finished value to the enclosing mapping or sequence."""
        if anchor is not None:
            route = self.stack[-1].route_of_next() if self.stack else ()
            self.anchors[anchor] = _Anchored(value, weight, route)
        if not self.stack:
            self.root = value
            self.places[()] = Place(start, start, scalar)
            return
        frame = self.stack[-1]
        frame.weight += weight
        if isinstance(frame.value, list):
            route = frame.route_of_next()
            frame.value.append(value)
            before = start
        elif frame.key is _NO_KEY:
            frame.key, frame.key_start = self._key(value, start), start
            return
        else:
            key, before = frame.key, frame.key_start
            route = frame.route_of_next()
            frame.key = _NO_KEY
            if key is None:
                return
            if key is _MERGE_KEY:
                self._merge(value, frame)
                return
            if key in frame.value:
                self._duplicate(key, value, frame)
                return
            frame.value[key] = value
        if route is not None:
            self.places[route] = Place(before, start, scalar)

    def _key(self, value: JSON, start: Position) -> str | None:
        if isinstance(value, str):
            return value
        message = "The name of a field must be text."
        hint = "Put a value that begins with { or ? in quotes."
        self._report("yaml/key", start, message, hint)
        self.whole = False
        return None

    def _merge(self, value: JSON, frame: _Frame) -> None:
        if frame.merged is not None:
            message, hint = "The mapping contains `<<` twice.", "Write one, with a list: [*a, *b]."
            self._report("yaml/duplicate-key", frame.key_start, message, hint)
            return
        frame.merged = tuple(merged_mappings(value, (*frame.route, UNDER_MERGE), self.written))
        for item in frame.merged:
            if not isinstance(item.value, dict):
                message = "A merge key needs a mapping, whose fields it takes over."
                hint = "Write an alias of a mapping, as in <<: *name, or a list of them."
                place = self.places.get(item.route)
                at = place.value if place else frame.key_start
                self._report("yaml/merge-key", at, message, hint)
                self.whole = False

    def _duplicate(self, key: str, value: JSON, frame: _Frame) -> None:
        name = f"`{key}`" if showable(key, value) else "a field"
        message = f"The mapping contains {name} twice."
        first = self.places.get((*frame.route, key))
        where = (
            f" The first is at line {first.key.line}, column {first.key.column}." if first else ""
        )
        self._report("yaml/duplicate-key", frame.key_start, message + where, "Keep one of the two.")

    def _refuse_tag(self, start: Position) -> None:
        message = (
            "This tag is not valid here: only those of YAML's core schema are known, such as !!str."
        )
        self._report("yaml/tag", start, message, "Put a value that begins with ! in quotes.")


def _told(rule: str, file: str, at: Position, message: str, hint: str) -> Diagnostic:
    return problem(rule, message, hint=hint, file=file, line=at.line, column=at.column)
