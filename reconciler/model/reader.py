"""Reads documents and stored specifications by the annotations of their types.

Whatever it accepts, pydantic accepts too, with the same result; what it rejects, pydantic may still
accept, or else explain. Loading pydantic and building its validators takes longer than a short command.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from enum import StrEnum
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from reconciler.model.secret_ref import SecretRef

Read = Callable[[Any], Any]

T = TypeVar("T")

REFUSES: Final = (LookupError, TypeError, ValueError)
"""The exceptions of a reader for a value that it rejects."""

_made: dict[type[Any], Read] = {}


def reader(type_: type[Any]) -> Read:
    """Make the reader of JSON values for a dataclass, as strict as pydantic."""
    found = _made.get(type_)
    if found is None:
        found = _made[type_] = _dataclass(type_)
    return found


def _reader(type_: Any) -> Read:
    special = _SPECIAL.get(get_origin(type_))
    if special is not None:
        return special(type_)
    if is_dataclass(type_):
        return reader(type_)  # type: ignore[arg-type]  # not an instance of one
    if issubclass(type_, StrEnum):
        return {str(item.value): item for item in type_}.__getitem__
    return _SIMPLE[type_]


def _dataclass(type_: type[Any]) -> Read:
    hints = get_type_hints(type_, include_extras=True)
    by_name = {item.name: _reader(hints[item.name]) for item in fields(type_) if item.init}

    def read(value: Any) -> Any:
        if type(value) is not dict:
            raise TypeError
        return type_(**{name: by_name[name](item) for name, item in value.items()})

    return read


def _annotated(type_: Any) -> Read:
    read = _reader(type_.__origin__)
    for mark in type_.__metadata__:
        read = mark.reading(read)
    return read


def _optional(type_: Any) -> Read:
    (inner,) = (_reader(item) for item in get_args(type_) if item is not NoneType)
    return _Optional(inner)


class _Optional:
    """Reads null, or a value; ``of_value`` reads only the value, and rejects null."""

    __slots__ = ("of_value",)

    def __init__(self, of_value: Read) -> None:
        self.of_value = of_value

    def __call__(self, value: Any) -> Any:
        return None if value is None else self.of_value(value)


def _tuple(type_: Any) -> Read:
    inner = _reader(get_args(type_)[0])

    def read(value: Any) -> tuple[Any, ...]:
        if type(value) is not list:
            raise TypeError
        return tuple(map(inner, value))

    return read


def _dict(type_: Any) -> Read:
    inner = _reader(get_args(type_)[1])
    return lambda value: {_text(name): inner(item) for name, item in _mapping(value).items()}


def _literal(type_: Any) -> Read:
    (word,) = get_args(type_)

    def read(value: Any) -> Any:
        if type(value) is not str or value != word:
            raise ValueError
        return value

    return read


def _exactly(type_: type[T]) -> Callable[[Any], T]:
    """Read what is of a type, and not of one derived from it: to Python, a boolean is a number."""

    def read(value: Any) -> T:
        if type(value) is not type_:
            raise TypeError
        return value

    return read


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError
    if not value.isascii():
        value.encode()  # a lone surrogate is text to Python, but not to JSON
    return value


def _scalar(value: Any) -> str | int:
    return value if type(value) in (int, bool) else _text(value)


_mapping: Final[Callable[[Any], dict[str, Any]]] = _exactly(dict)

_SPECIAL: Final[dict[Any, Callable[[Any], Read]]] = {
    Annotated: _annotated,
    Union: _optional,
    UnionType: _optional,
    tuple: _tuple,
    dict: _dict,
    Literal: _literal,
}
_SIMPLE: Final[dict[Any, Read]] = {
    str: _text,
    int: _exactly(int),
    bool: _exactly(bool),
    Any: _scalar,
    SecretRef: SecretRef.parse,
}
"""The readers of simple types. Of arbitrary values, only scalars are read."""
