"""Renaming a resource in the text of a file: the scalars that name it change, and nothing else.

Comments, quotes and layout stay. Each result is verified before it is used: read again, its
documents differ only in the name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from reconciler.config.compose import compose
from reconciler.config.documents import kind_of
from reconciler.config.expansion import TABLE, TEMPLATE
from reconciler.config.variables import substitute
from reconciler.config.written_names import FORMER, HAS_FORMER, ROWS, WrittenNames, written_names
from reconciler.model.address import Address, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.config.raw import RawDocument
    from reconciler.config.variables import Variables
    from reconciler.diagnostics import Route
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
"""The fields that name a resource, with its kind; a test compares them with the model."""

_OTHERWISE: Final = "more than the name would change"


class Obstacle(Struct, frozen=True):
    """A place where a name cannot be changed, as ``file:line:column``, and why."""

    place: str
    reason: str


class RenamedText(Struct, frozen=True):
    """A text after a rename; ``places`` counts the names that changed.

    With obstacles it is unchanged.

    ``declares`` says that the text declares the resource itself.
    """

    text: str
    places: int = 0
    declares: bool = False
    obstacles: tuple[Obstacle, ...] = ()


def rename_in(
    text: str, file: str, address: Address, new: str, variables: Sequence[Variables]
) -> RenamedText:
    """Rename a resource wherever a text names it; a connector gets a ``renamed_from`` too.

    The text must be part of a valid configuration. ``variables`` are those of every
    environment: a name that comes from a variable is an obstacle.
    """
    documents = [item for item in compose(text, file).documents if isinstance(item.value, dict)]
    walks = [item for item in written_names(text) if item.block is not None]
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
            if reason is None and declares and FORMER in _mapping(document.value):
                reason, route = HAS_FORMER, (FORMER,)  # noqa: PLW2901 - the place to look at
            if reason is not None:
                obstacles.append(_obstacle(document, route, reason))
                continue
            edits.append(walk.replaced(route, text, new))
            value = _with(value, route, new)
            places += 1
            if declares:
                there = True
                edits.append(walk.inserted(text, address.name))
                value = {**_mapping(value), FORMER: address.name}
        row = _row_obstacle(document, walk, address)
        obstacles += [] if row is None else [row]
        if row is None and _has_row(document, address):
            edits += walk.renamed_row(text, address.name, new)
            value = _with_row(_mapping(value), address.name, new)
            places, there = places + 1, True
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
    """Where a document names a resource, in at least one environment."""
    kind = document.kind
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
    """Whether the name at a route is that of the document's own connector."""
    connector = kind_of(document.value) is Kind.EMAIL_CONNECTOR is address.kind
    return connector and route == ("name",)


def _row_obstacle(document: RawDocument, walk: WrittenNames, address: Address) -> Obstacle | None:
    """The obstacle to renaming a row of a table, if any."""
    if not _has_row(document, address):
        return None
    reason = walk.row_refusal(address.name, _mapping(document.value).get(FORMER))
    return None if reason is None else _obstacle(document, (ROWS, address.name), reason)


def _has_row(document: RawDocument, address: Address) -> bool:
    """Whether a document is a table with a row for the connector."""
    value = _mapping(document.value)
    is_table = value.get("kind") == TABLE and address.kind is Kind.EMAIL_CONNECTOR
    return is_table and address.name in _mapping(value.get(ROWS))


def _with_row(table: dict[str, JSON], name: str, new: str) -> JSON:
    """The table with a renamed row, and the former name."""
    rows = {new if key == name else key: row for key, row in _mapping(table[ROWS]).items()}
    former = {**_mapping(table.get(FORMER)), new: name}
    return {**table, ROWS: rows, FORMER: former}


def _mapping(value: JSON) -> dict[str, JSON]:
    return value if isinstance(value, dict) else {}


def _with(value: JSON, route: Route, new: str) -> JSON:
    """A copy of a value in which one text is replaced."""
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
