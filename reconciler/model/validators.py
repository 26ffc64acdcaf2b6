"""Validators of the types that documents are read into, each built when it is first needed and once."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import TypeAdapter

T = TypeVar("T")

_built: dict[type[Any], TypeAdapter[Any]] = {}


def validator(type_: type[T]) -> TypeAdapter[T]:
    """The validator of a type; building one takes longer than reading a small document."""
    found = _built.get(type_)
    if found is None:
        found = _built[type_] = TypeAdapter(type_)
    return found
