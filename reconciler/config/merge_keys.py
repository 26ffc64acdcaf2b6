"""Merge keys: ``<<: *name`` inherits the fields of a mapping.

YAML 1.1 has them (https://yaml.org/type/merge.html), and most files that use anchors rely on them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.config.positions import Place
    from reconciler.diagnostics import Route
    from reconciler.model.resource import JSON


MERGE: Final = "<<"
UNDER_MERGE: Final = "\0<<"
"""The step of routes into the value of a merge key; no key of a file can have this name."""


class MergedMapping(Struct, frozen=True):
    """What a merge key inherits, and the route to where it is written."""

    value: JSON
    route: Route


def merged_mappings(
    value: JSON, route: Route, written: dict[Route, Route]
) -> Iterator[MergedMapping]:
    """The mappings of a merge key: its value, or each item of a list.

    They may be invalid. ``route`` leads to the value. ``written`` maps the routes of aliases to
    those of their anchors.
    """
    if not isinstance(value, list):
        yield MergedMapping(value, written.get(route, route))
        return
    for index, item in enumerate(value):
        place = (*route, index)
        yield MergedMapping(item, written.get(place, place))


class Takeover(Struct, frozen=True):
    """Inherits fields into one mapping. ``route`` leads to it; None if no route does."""

    value: dict[str, JSON]
    route: Route | None
    places: dict[Route, Place]
    written: dict[Route, Route]

    def take(self, merged: MergedMapping) -> None:
        """Add the fields that the mapping lacks, with the places where they are written."""
        if not isinstance(merged.value, dict):
            return
        for key, item in merged.value.items():
            if key not in self.value:
                self.value[key] = item
                if self.route is not None:
                    self._place((*merged.route, key), (*self.route, key), item)

    def _place(self, source: Route, target: Route, value: JSON) -> None:
        source = self.written.get(source, source)
        if source not in self.places:
            return
        self.places[target] = self.places[source]
        if isinstance(value, dict):
            for key, item in value.items():
                self._place((*source, key), (*target, key), item)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                self._place((*source, index), (*target, index), item)
