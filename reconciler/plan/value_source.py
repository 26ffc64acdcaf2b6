"""Where the values of a plan are written: in a document, a template, a table or a provider."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from msgspec import Struct, field

from reconciler.model.address import Address
from reconciler.values import replace


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterSource:
    """A parameter of a template, and where its value is written: in a row, in a connector, or as the default.

    ``file`` and ``line`` are null in a group of connectors with different values.
    """

    name: str
    file: str | None
    line: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueSource:
    """Where a value is written.

    ``file`` and ``line`` are null in a built-in provider, which ``provider`` names. ``template`` is the
    template that holds the text. ``table`` says that it is in a table of connectors. ``parameters`` and
    ``variables`` are those in the text; ``whole`` says that it is exactly one parameter.
    """

    file: str | None
    line: int | None
    template: str | None = None
    table: bool = False
    provider: str | None = None
    parameters: tuple[ParameterSource, ...] = ()
    variables: tuple[str, ...] = ()
    whole: bool = False

    @property
    def place(self) -> str:
        """``FILE:LINE``, or nothing in a built-in provider."""
        return "" if self.file is None else f"{self.file}:{self.line}"

    @property
    def is_plain(self) -> bool:
        """Whether the value is written directly in the document of its resource, where one expects it."""
        return not (self.template or self.table or self.provider or self.variables)


class ResourceSource(Struct, frozen=True):
    """Where a resource is written, and its fields by dotted path.

    ``find`` looks the resource up in its file. ``expanded`` says that it comes from a template or a table.
    """

    find: Callable[[], ValueSource]
    fields: Mapping[str, ValueSource] = field(default_factory=dict)
    expanded: bool = False

    @property
    def itself(self) -> ValueSource:
        """Where the resource is written: its file has to be parsed for the line."""
        return self.find()


FieldSources = Mapping[str, ValueSource]
ResourceSources = Mapping[Address, ResourceSource]

NO_FIELDS: Final[FieldSources] = MappingProxyType({})
NO_SOURCES: Final[ResourceSources] = MappingProxyType({})


def field_sources(sources: ResourceSources, address: Address) -> FieldSources:
    """The sources of the fields of one resource."""
    return sources[address].fields if address in sources else NO_FIELDS


def shared_sources(
    sources: ResourceSources, addresses: Iterable[Address], paths: Iterable[str]
) -> FieldSources:
    """The sources that changes of several resources share, by field.

    The values of a parameter may be in different rows; its place is then omitted.
    """
    every = [field_sources(sources, address) for address in addresses]
    found: dict[str, ValueSource] = {}
    for path in paths:
        of_each = [item.get(path) for item in every]
        first = of_each[0] if of_each else None
        if first is None:
            continue
        if all(item == first for item in of_each):
            found[path] = first
        elif all(item is not None and _text(item) == _text(first) for item in of_each):
            found[path] = _text(first)
    return found


def _text(source: ValueSource) -> ValueSource:
    """The source of the text alone, without the places of parameters."""
    nowhere = (ParameterSource(name=item.name, file=None, line=None) for item in source.parameters)
    return replace(source, parameters=tuple(nowhere))
