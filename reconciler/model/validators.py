"""Validates documents and stored specifications: from plain values to the model's.

Documents, and the first few specifications, are read by :mod:`reconciler.model.reader`. Pydantic reads
the other specifications, and judges what the reader rejects: each of its validators is built once, when
first needed.
"""

from __future__ import annotations

import json
from itertools import count
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from reconciler.model.reader import REFUSES, reader
from reconciler.model.resource import canonical_json

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError

    from reconciler.model.resource import JSON

T = TypeVar("T")

FEW: Final = 2000
"""The number of specifications below which loading pydantic takes longer than it saves."""

_built: dict[type[Any], TypeAdapter[Any]] = {}
_read = count()


class Invalid(ValueError):
    """A value that a document's type rejects: where, and pydantic's message, which may repeat it."""

    def __init__(self, route: tuple[int | str, ...], reason: str) -> None:
        super().__init__(reason)
        self.route = route
        self.reason = reason

    @classmethod
    def of(cls, error: ValidationError) -> Invalid:
        """The first of the problems that pydantic found."""
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        return cls(first["loc"], first["msg"])


def validated(type_: type[T], value: JSON) -> T:
    """Read a JSON value; raises Invalid."""
    try:
        return cast("T", reader(type_)(value))
    except REFUSES:
        pass  # pydantic reports the problem, if any
    return _by_pydantic(type_, _as_json(value))


def _as_json(value: JSON) -> str | bytes:
    from pydantic_core import PydanticSerializationError, to_json  # noqa: PLC0415 - comes with pydantic

    try:
        return to_json(value)
    except PydanticSerializationError:  # a lone surrogate, or too deeply nested
        return json.dumps(value)


def validated_text(type_: type[T], text: str) -> T:
    """Read the text of a JSON value, usually a canonical one; raises Invalid."""
    try:
        if _is_early(type_) and canonical_json(value := json.loads(text)) == text:
            return cast("T", reader(type_)(value))
    except (*REFUSES, RecursionError):
        pass  # as above
    return _by_pydantic(type_, text)


def validator(type_: type[T]) -> TypeAdapter[T]:
    """Pydantic's validator of a type; building one takes longer than reading a small document."""
    found = _built.get(type_)
    if found is None:
        from pydantic import TypeAdapter  # noqa: PLC0415 - it takes as long as a short command

        found = _built[type_] = TypeAdapter(type_)
    return found


def _is_early(type_: type[Any]) -> bool:
    return type_ not in _built and next(_read) < FEW


def _by_pydantic(type_: type[T], text: str | bytes) -> T:
    from pydantic import ValidationError  # noqa: PLC0415 - as above

    try:
        return validator(type_).validate_json(text)
    except ValidationError as error:
        raise Invalid.of(error) from None
