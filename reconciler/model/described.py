"""Enumerations and fields with descriptions for the schemas."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core.core_schema import CoreSchema

    from reconciler.model.constraints import Read


class DescribedEnum(StrEnum):
    """A StrEnum whose members are written as a value and one sentence about it."""

    _value_: str
    description: str

    def __new__(cls, value: str, description: str = "") -> Self:
        """Make the member ``value``, with its sentence in ``description``."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.description = description
        return member


class Described:
    """Annotates a field with its title, a sentence about it, and examples of its values."""

    def __init__(self, title: str, description: str, examples: Sequence[Any] = ()) -> None:
        self._shown: dict[str, Any] = {"title": title, "description": description}
        if examples:
            self._shown["examples"] = list(examples)

    def reading(self, inner: Read) -> Read:
        """Accept any value."""
        return inner

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(schema), **self._shown}
