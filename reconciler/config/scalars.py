"""The values of plain scalars: the core schema of YAML 1.2, and nothing else.

See https://yaml.org/spec/1.2.2/#103-core-schema. ``no`` and ``on`` are words here, a date is text,
and a number that would lose precision is refused, not rounded.
"""

from __future__ import annotations

import math
import re
from typing import Final

Scalar = str | bool | int | float | None

STRING_TAG: Final = "tag:yaml.org,2002:str"

_TYPES: Final[dict[str, tuple[type, ...]]] = {
    STRING_TAG: (str,),
    "tag:yaml.org,2002:int": (int,),
    "tag:yaml.org,2002:float": (float, int),
    "tag:yaml.org,2002:bool": (bool,),
    "tag:yaml.org,2002:null": (type(None),),
}

TAGS: Final = frozenset(_TYPES)
"""The tags of the core schema that a scalar may bear (``!!str`` and the like)."""

_SPECIAL: Final[dict[str, Scalar]] = {
    "": None,
    "~": None,
    **dict.fromkeys(("null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_NUMBER_STARTS: Final = frozenset("+-.0123456789")
_INTEGER: Final = re.compile(r"[-+]?[0-9]+")
_OCTAL: Final = re.compile(r"0o[0-7]+")
_HEXADECIMAL: Final = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE: Final = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")

_LONGEST: Final = 40
_EXACT: Final = 2**53
"""Beyond it a JSON number is not the same everywhere (RFC 8259 section 6)."""


class NumberOutOfReach(ValueError):
    """The number is infinite, not a number, or too large to be exact."""


def resolve(text: str) -> Scalar:
    """Resolve an unquoted scalar without a tag.

    Raises NumberOutOfReach, which does not repeat the text.
    """
    if text in _SPECIAL:
        return _SPECIAL[text]
    if text[0] not in _NUMBER_STARTS:
        return text
    return _number(text)


def is_special(text: str) -> bool:
    """Whether an unquoted scalar is null or a boolean, not text."""
    return text in _SPECIAL


def has_tag(value: Scalar, tag: str) -> bool:
    """Whether the resolved value of an unquoted scalar fits a tag."""
    return type(value) in _TYPES[tag]


def _number(text: str) -> Scalar:
    for pattern, base in ((_INTEGER, 10), (_OCTAL, 8), (_HEXADECIMAL, 16)):
        if pattern.fullmatch(text):
            # Check the length first: int() raises its own error for thousands of digits.
            if len(text) > _LONGEST or abs(number := int(text, base)) > _EXACT:
                raise NumberOutOfReach
            return number
    if _NOT_FINITE.fullmatch(text):
        raise NumberOutOfReach
    if _FLOAT.fullmatch(text):
        value = float(text)
        if not math.isfinite(value):
            raise NumberOutOfReach
        return value
    return text
