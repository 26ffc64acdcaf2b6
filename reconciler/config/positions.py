"""The positions of a document's values in its file."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.diagnostics import Route


class Position(NamedTuple):
    """A place in a file; line and column count from one, columns in characters."""

    line: int
    column: int


class Place(NamedTuple):
    """The position of a value, and of the key (or the dash) before it.

    ``scalar`` tells whether the value is one: a problem of a scalar is shown at the value, one of a
    mapping or a sequence at its key.
    """

    key: Position
    value: Position
    scalar: bool


class Positions:
    """The places of all values of one document, by route; looked up when one is first asked for."""

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


def dotted(route: Route) -> str:
    """Format a route for people: `administrators.users[0]`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in route)
    return f"`{text.removeprefix('.')}`" if route else "The document"
