"""What all values can do, whichever of the two kinds of class they are.

A document, which is read from or written as YAML or JSON, is a frozen dataclass: pydantic judges it and
makes its schema. Every other frozen value is a :class:`msgspec.Struct`: its class is made in a fortieth of
the time of a dataclass, and there are more than a hundred in the shortest plan.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from msgspec import Struct, structs

__all__ = ["field_names", "members", "replace"]

if TYPE_CHECKING:
    from dataclasses import replace  # noqa: TID251 - with it, type checkers know the fields
else:

    def replace(value: Any, /, **changes: Any) -> Any:
        """Return a copy of a value with other fields."""
        if isinstance(value, Struct):
            return structs.replace(value, **changes)
        return dataclasses.replace(value, **changes)  # noqa: TID251 - for documents


_names: dict[type[Any], tuple[str, ...]] = {}


def field_names(kind: type[Any]) -> tuple[str, ...]:
    """The fields of a class of values or of a named tuple, in order; empty for any other type."""
    found = _names.get(kind)
    if found is None:
        _names[kind] = found = _field_names(kind)
    return found


def members(value: object) -> dict[str, Any]:
    """The fields of a value by name; those of values within it stay as they are."""
    return {name: getattr(value, name) for name in field_names(type(value))}


def _field_names(kind: type[Any]) -> tuple[str, ...]:
    if issubclass(kind, Struct):
        return kind.__struct_fields__
    if dataclasses.is_dataclass(kind):
        return tuple(item.name for item in dataclasses.fields(kind))
    named: tuple[str, ...] = getattr(kind, "_fields", ()) if issubclass(kind, tuple) else ()
    return named
