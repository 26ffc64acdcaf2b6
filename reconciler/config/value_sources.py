"""Finds where the values of resources are written, to show the origin of a change.

A resource is stored resolved, so each of its fields maps back to where it may be written: in
the connector, its table or template, or in its provider.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

from reconciler.config.load import built_in_providers
from reconciler.config.positions import Layer
from reconciler.config.raw import value_at
from reconciler.config.template_documents import NAME_PARAMETER
from reconciler.config.templates import signs_in
from reconciler.config.variables import VARIABLE_PREFIX
from reconciler.model.address import Address, Kind
from reconciler.model.connector import Connector
from reconciler.model.permissions import Permissions
from reconciler.model.resource import spec_of
from reconciler.plan.changes import Create, Rename, Update
from reconciler.plan.diff import leaves
from reconciler.plan.value_source import (
    ParameterSource,
    ResourceSource,
    ResourceSources,
    ValueSource,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.config.raw import RawDocument
    from reconciler.diagnostics import Route
    from reconciler.model.resource import JSON, Resource
    from reconciler.plan.changes import Change


def sources_of(
    changes: Iterable[Change], written: Mapping[Address, RawDocument]
) -> ResourceSources:
    """Finds where changed values are written; ``written`` are the documents of all resources."""
    return _SourcesOfChanges(
        {
            change.after.address: change
            for change in changes
            if isinstance(change, Create | Update | Rename) and change.after.address in written
        },
        written,
    )


class _SourcesOfChanges(Mapping[Address, ResourceSource]):
    """Finds the source of a resource on demand: finding a line means reading its file again.

    A first apply changes everything, but shows only a few of the changes.
    """

    def __init__(
        self,
        changes: dict[Address, Create | Update | Rename],
        written: Mapping[Address, RawDocument],
    ) -> None:
        self._changes = changes
        self._written = written
        self._found: dict[Address, ResourceSource] = {}

    def __getitem__(self, address: Address) -> ResourceSource:
        found = self._found.get(address)
        if found is None:
            change = self._changes[address]
            changed = () if isinstance(change, Create) else change.fields
            paths = [item.path for item in changed if item.after is not None]
            found = resource_source(change.after, paths, self._written)
            if found is None:
                raise KeyError(address)
            self._found[address] = found
        return found

    def __iter__(self) -> Iterator[Address]:
        return iter(self._changes)

    def __len__(self) -> int:
        return len(self._changes)

    def __contains__(self, address: object) -> bool:
        return address in self._changes


def resource_source(
    resource: Resource, paths: Iterable[str], written: Mapping[Address, RawDocument]
) -> ResourceSource | None:
    """Where a resource and some of its fields are written; omits defaults."""
    raw = written.get(resource.address)
    if raw is None:
        return None
    wanted = tuple(path for path in paths if path != _name_of(resource))
    found = {path: _of_field(resource, path, wanted, raw, written) for path in wanted}
    fields = {path: source for path, source in found.items() if source is not None}
    return ResourceSource(partial(_of_itself, resource, raw), fields, expanded=bool(raw.layers))


def whole_source(
    resource: Resource, written: Mapping[Address, RawDocument]
) -> ResourceSource | None:
    """Where a resource and all of its fields are written."""
    return resource_source(resource, (path for path, _ in leaves(spec_of(resource))), written)


def _of_itself(resource: Resource, raw: RawDocument) -> ValueSource:
    layers = _layers(raw)
    at = raw.locate(() if layers[0].table else (_name_of(resource),), key=True)
    template = next((item.template for item in layers if item.template), None)
    return ValueSource(
        file=at.file, line=at.position.line, template=template, table=layers[0].table
    )


def _name_of(resource: Resource) -> str:
    """The field that holds the name."""
    return "connector" if isinstance(resource, Permissions) else "name"


def _of_field(
    resource: Resource,
    path: str,
    changed: tuple[str, ...],
    raw: RawDocument,
    written: Mapping[Address, RawDocument],
) -> ValueSource | None:
    for route in _routes(resource, path, changed):
        if _holds(raw.value, route):
            return _of_route(raw, route)
    if isinstance(resource, Connector) and resource.provider is not None:
        return _of_provider(resource.provider, path, written)
    return None


def _routes(resource: Resource, path: str, changed: tuple[str, ...]) -> Iterator[Route]:
    """Where a field of a resource may be written, the likeliest place first.

    The meaning of ``use_ssl`` depends on the port, so a port that is ``changed`` too is the
    reason.
    """
    steps: Route = tuple(path.split("."))
    if not isinstance(resource, Connector):
        yield steps
        return
    if path == "email_address":
        yield from (("smtp", path), ("smtp", "username"), ("imap", "username"))
        return
    if path == "use_same_credentials":
        yield ("smtp", path)
        return
    side, field = steps[0], steps[-1]
    if side == "smtp" and resource.use_same_credentials and steps[1] in _CREDENTIALS:
        yield ("imap", *steps[1:])
    yield steps
    if side in _SIDES and field == "security":
        yield (side, "port" if f"{side}.port" in changed else "use_ssl")
    if side in _SIDES and field in _OF_BOTH:
        yield (field,)


_SIDES: Final = ("imap", "smtp")
_CREDENTIALS: Final = frozenset({"username", "password", "oauth2"})
_OF_BOTH: Final = frozenset({"client_certificate", "client_key"})
"""The client certificate of both accounts, which a document declares once."""


def _holds(value: JSON, route: Route) -> bool:
    for step in route:
        if not isinstance(value, dict) or step not in value:
            return False
        value = value[str(step)]
    return True


def _layers(raw: RawDocument) -> tuple[Layer, ...]:
    return raw.layers or (Layer(raw.file, raw.positions, written=raw.as_written),)


def _of_route(raw: RawDocument, route: Route) -> ValueSource | None:
    """The first of the documents that hold a value, and its text there."""
    layers = _layers(raw)
    for layer in layers:
        place, own = layer.place(route), layer.route(route)
        if place is None or own is None:
            continue
        at = place.value if place.scalar else place.key
        text = value_at(layer.written, own)
        signs = [name for name in signs_in(text) if name != NAME_PARAMETER]
        parameters = (
            tuple(
                found
                for name in signs
                if not name.startswith(VARIABLE_PREFIX)
                if (found := _parameter(raw, layer, name)) is not None
            )
            if layer.template
            else ()
        )
        return ValueSource(
            file=layer.file,
            line=at.line,
            template=layer.template or None,
            table=layer.table,
            parameters=parameters,
            variables=tuple(
                name.removeprefix(VARIABLE_PREFIX)
                for name in signs
                if name.startswith(VARIABLE_PREFIX)
            ),
            whole=len(parameters) == 1 and text == f"${{{parameters[0].name}}}",
        )
    return None


def _parameter(raw: RawDocument, template: Layer, name: str) -> ParameterSource | None:
    """Where the value of a parameter is written: given to the template, or as its default."""
    if name in raw.arguments:
        file, place = raw.file, raw.positions.places.get(raw.arguments[name])
    else:
        route = ("parameters", name, "default")
        file, place = template.file, template.positions.places.get(route)
    if place is None:
        return None
    return ParameterSource(name=name, file=file, line=place.value.line)


def _of_provider(
    name: str, path: str, written: Mapping[Address, RawDocument]
) -> ValueSource | None:
    steps = path.split(".")
    routes: tuple[Route, ...] = (tuple(steps), tuple(steps[1:]))  # oauth2 is of both accounts
    own = written.get(Address(Kind.PROVIDER, name))
    if own is not None:
        found = (_of_route(own, route) for route in routes if route and _holds(own.value, route))
        source = next(found, None)
        if source is None:
            return None
        return ValueSource(
            file=source.file, line=source.line, provider=name, variables=source.variables
        )
    built_in = next((item for item in built_in_providers() if item.name == name), None)
    if built_in is None or not any(route and _holds(spec_of(built_in), route) for route in routes):
        return None
    return ValueSource(file=None, line=None, provider=name)
