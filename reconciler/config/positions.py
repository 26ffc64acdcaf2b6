"""The positions of a document's values in its file."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct, field

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from reconciler.diagnostics import Route
    from reconciler.model.resource import JSON


class Position(NamedTuple):
    """A place in a file; line and column count from one, columns in characters."""

    line: int
    column: int


class Place(NamedTuple):
    """The position of a value, and of the key (or the dash) before it.

    ``scalar``: a problem of a scalar is shown at the value, one of a mapping or sequence at its
    key.
    """

    key: Position
    value: Position
    scalar: bool


class Positions:
    """The places of all values of one document, by route; computed on first use."""

    __slots__ = ("_look_up", "_places")

    def __init__(self, places: dict[Route, Place] | Callable[[], dict[Route, Place]]) -> None:
        self._places = None if callable(places) else places
        self._look_up = places if callable(places) else None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Positions) and self.places == other.places

    __hash__ = None  # type: ignore[assignment]  # places are a dictionary

    @property
    def places(self) -> dict[Route, Place]:
        """The places by route."""
        if self._places is None:
            self._places = self._look_up() if self._look_up is not None else {}
        return self._places

    def of(self, route: Route) -> Position:
        """The position to report for a value; for a missing one, that of the closest enclosing value."""
        place = self._nearest(route)
        return place.value if place.scalar else place.key

    def of_key(self, route: Route) -> Position:
        """The position of a value's key, or of the closest enclosing value."""
        return self._nearest(route).key

    def _nearest(self, route: Route) -> Place:
        while route and route not in self.places:
            route = route[:-1]
        return self.places[route]


class Located(NamedTuple):
    """A position with its file. ``shared``: other documents are made from it too."""

    file: str
    position: Position
    shared: bool = False


class Layer(Struct, frozen=True):
    """One of the source documents of an expanded document.

    ``moved`` maps routes of the expanded document to routes here. Other routes are relative to
    ``base``; with None, they lead nowhere. ``written`` is its content before variables and
    parameters were replaced; ``template`` is its name if it is a template, and ``table`` says
    whether it is a table.
    """

    file: str
    positions: Positions
    base: Route | None = ()
    moved: Mapping[Route, Route] = field(default_factory=dict)
    shared: bool = False
    written: JSON = None
    template: str = ""
    table: bool = False

    def place(self, route: Route) -> Place | None:
        """The place of a value, if this document holds it."""
        own = self.route(route)
        return None if own is None else self.positions.places.get(own)

    def route(self, route: Route) -> Route | None:
        """The route to a value in this document, if it can hold it."""
        if route in self.moved:
            return self.moved[route]
        return None if self.base is None else (*self.base, *route)


def locate(layers: Sequence[Layer], route: Route, *, key: bool) -> Located:
    """Find a value in the first document that holds it.

    A missing one at the closest enclosing value.

    ``key`` returns the position of its key.
    """
    for length in range(len(route), -1, -1):
        for layer in layers:
            place = layer.place(route[:length])
            if place is not None:
                at = place.value if place.scalar and not key else place.key
                return Located(layer.file, at, layer.shared)
    raise LookupError("no document holds the root")


def dotted(route: Route) -> str:
    """Format a route for people: `administrators.users[0]`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in route)
    return f"`{text.removeprefix('.')}`" if route else "The document"
