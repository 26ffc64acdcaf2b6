"""The constraints in the annotations of fields.

Each is written twice: for pydantic, which makes the JSON Schemas and judges invalid values, and for
:mod:`reconciler.model.reader`, which reads valid values without loading pydantic. Nothing here imports
pydantic.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from reconciler.model.secret_ref import REFERENCE_PATTERN, SecretRef

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core.core_schema import CoreSchema

    Read = Callable[[Any], Any]
    """Converts a JSON value to the model's; raises ValueError, TypeError or LookupError."""


_MOST_KNOWN: Final = 4096
"""The size of each constraint's cache of texts."""


class Matches:
    """Constrains a string to an ECMA-262 ``pattern`` that is anchored with ``^`` and ``$``.

    The whole string must match: unlike with Python's ``$``, a trailing newline does not match.
    """

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern

    @cached_property
    def _whole(self) -> re.Pattern[str]:
        return re.compile(self.pattern.removeprefix("^").removesuffix("$"))

    def _checked(self, value: str) -> str:
        if not self._whole.fullmatch(value):
            raise ValueError(f"must match {self.pattern}")
        return value

    def reading(self, inner: Read) -> Read:
        """Check a value; many texts, such as the names of hosts and groups, occur repeatedly."""
        known: set[str] = set()

        def read(value: Any) -> Any:
            if value in known:
                return value
            text: str = inner(value)
            if not self._whole.fullmatch(text):
                raise ValueError(f"must match {self.pattern}")
            if len(known) < _MOST_KNOWN:
                known.add(text)
            return text

        return read

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        from pydantic_core import core_schema  # noqa: PLC0415 - pydantic asks, so it is loaded

        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(schema), "pattern": self.pattern}


class NotNull:
    """Rejects an explicit null in an optional field.

    It checks after the field, not before it: a value that a validator has handled is Python's, no
    longer JSON's, and strict mode would then reject the lists inside it.
    """

    def reading(self, inner: Read) -> Read:
        """Check a value: the reader of other values already rejects null."""
        return getattr(inner, "of_value", inner)

    @staticmethod
    def _checked(value: Any) -> Any:
        if value is None:
            raise ValueError("null is not a value: leave the field out instead")
        return value

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        from pydantic_core import core_schema  # noqa: PLC0415 - as above

        return core_schema.no_info_after_validator_function(self._checked, handler(source))


class Whole:
    """Constrains a number to integers from ``least`` to ``most``; 993.0 is one, as in JSON Schema."""

    def __init__(self, least: int, most: int | None = None) -> None:
        self._least = least
        self._most = most

    def reading(self, inner: Read) -> Read:
        """Check what is read."""

        def read(value: Any) -> Any:
            number = value if type(value) is int else inner(self._whole(value))
            if number < self._least or (self._most is not None and number > self._most):
                raise ValueError("out of range")
            return number

        return read

    @staticmethod
    def _whole(value: Any) -> Any:
        return int(value) if isinstance(value, float) and value.is_integer() else value

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        from pydantic_core import core_schema  # noqa: PLC0415 - as above

        bounds = {"ge": self._least} | ({} if self._most is None else {"le": self._most})
        number: Any = {**handler(source), **bounds}
        return core_schema.no_info_before_validator_function(self._whole, number)


class Refers:
    """Reads a reference to a secret, which documents hold as text."""

    def reading(self, inner: Read) -> Read:
        """Parse a text; pydantic reports anything else."""

        def read(value: Any) -> Any:
            if type(value) is not str:
                raise TypeError
            return inner(value)

        return read

    @staticmethod
    def _parsed(value: Any) -> Any:
        return SecretRef.parse(value) if isinstance(value, str) else value

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        del source, handler
        from pydantic_core import core_schema  # noqa: PLC0415 - as above

        text = core_schema.str_schema()
        return core_schema.no_info_before_validator_function(
            self._parsed,
            core_schema.is_instance_schema(SecretRef),
            serialization=core_schema.plain_serializer_function_ser_schema(str, return_schema=text),
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        del schema, handler
        return {"type": "string", "pattern": REFERENCE_PATTERN}


class NotEmpty:
    """Rejects an empty list."""

    def reading(self, inner: Read) -> Read:
        """Check what is read."""

        def read(value: Any) -> Any:
            items = inner(value)
            if not items:
                raise ValueError("empty")
            return items

        return read

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        found: Any = {**handler(source), "min_length": 1}
        schema: CoreSchema = found
        return schema


class Scalar:
    """Accepts a text, an integer or a boolean; the right type is checked elsewhere."""

    def reading(self, inner: Read) -> Read:
        """Check a value before it is read."""
        return lambda value: inner(self._checked(value))

    @staticmethod
    def _checked(value: Any) -> Any:
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if not isinstance(value, str | int | bool):
            raise ValueError("neither text nor a whole number nor a boolean")  # noqa: TRY004 - pydantic's way
        return value

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        from pydantic_core import core_schema  # noqa: PLC0415 - as above

        return core_schema.no_info_before_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        del schema, handler
        return {"type": ["string", "integer", "boolean"]}
