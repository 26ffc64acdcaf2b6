"""Enumerations whose members say what they mean, to whoever reads a schema."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


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
