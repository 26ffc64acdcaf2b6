"""YAML documents before validation: plain values and their positions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct, field

from reconciler.config.positions import Layer, Located, Positions, locate
from reconciler.config.rules import SharedDiagnostic, problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.diagnostics import Diagnostic, Route
    from reconciler.model.resource import JSON

MAX_FOR_REFERENCE: Final = 64 * 1024
"""The longest YAML text for the slow full parser, in characters: it takes two seconds."""

_LONGEST_SHOWN: Final = 40
_SHOWN_KEY: Final = re.compile(r"[a-z]+[0-9]?[a-z]?(_[a-z]+[0-9]?[a-z]?)*")


class RawDocument(Struct, frozen=True):
    """One YAML document. ``whole`` is false if ``value`` lacks a part of the document.

    One that is expanded from others, such as a template, has ``layers``: where its values are
    written. ``user`` is then the connector that it is made for, and its place. ``arguments``
    are the routes, in its own file, of the values that it passes to a template. ``written`` is
    ``value`` before variables were replaced; None if it has none.
    """

    value: JSON
    file: str
    positions: Positions
    whole: bool = True
    layers: tuple[Layer, ...] = ()
    user: str = ""
    arguments: Mapping[str, Route] = field(default_factory=dict)
    written: JSON = None

    @property
    def as_written(self) -> JSON:
        """The content of the file, with variables unreplaced."""
        return self.value if self.written is None else self.written

    @property
    def kind(self) -> JSON:
        """What its ``kind`` says; None if it has none, or is not a mapping."""
        return self.value.get("kind") if isinstance(self.value, dict) else None

    def locate(self, route: Route, *, key: bool = False) -> Located:
        """Where a value, or its key, is written."""
        if self.layers:
            return locate(self.layers, route, key=key)
        at = self.positions.of_key(route) if key else self.positions.of(route)
        return Located(self.file, at)

    def location(self, route: Route) -> str:
        """A place that a message refers to, in the format of compilers."""
        found = self.locate(route)
        return f"{found.file}:{found.position.line}:{found.position.column}"

    def diagnostic(
        self, rule: str, route: Route, message: str, hint: str = "", *, key: bool = False
    ) -> Diagnostic:
        """A problem of a value, or of its key, at its place."""
        file, at, shared = self.locate(route, key=key)
        found = problem(rule, message, hint=hint, file=file, line=at.line, column=at.column)
        return SharedDiagnostic.of(found, self.user) if shared else found


class Composed(Struct, frozen=True):
    """The content of a file. ``readable`` is false if reading stopped before the end."""

    documents: tuple[RawDocument, ...]
    diagnostics: tuple[Diagnostic, ...]
    readable: bool = True


def value_at(value: object, route: Route) -> Any:
    """A value within a document; None if nothing is there, as for a merge key."""
    for step in route:
        if isinstance(value, dict) and isinstance(step, str):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None
    return value


def showable(key: str, value: JSON) -> bool:
    """Whether a message may quote a key.

    One without a value, or not in lower case, may be a misplaced password, as in
    ``password: {hunter2}``.
    """
    return value is not None and len(key) <= _LONGEST_SHOWN and bool(_SHOWN_KEY.fullmatch(key))
