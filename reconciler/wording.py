"""How sentences count things, name them, and say how many they leave out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")

NAMED: Final = 5
"""How many names a sentence lists: more is not read, and does not fit into a line."""

TO_ACT_ON: Final = 10
"""How many it lists where the reader does something about each: picks one, mends it, or approves it."""

LINES: Final = 20
"""How many lines a list has that gives each thing a line of its own."""


def counted(number: int, noun: str) -> str:
    """``1 connector``, ``2 connectors``: for nouns that take an s."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def listed(names: Sequence[object], most: int = NAMED) -> str:
    """The first names with commas between, and how many more there are: ``a, b and 3 more``."""
    shown, more = shortened(names, most)
    return ", ".join(str(name) for name in shown) + (f" {more}" if more else "")


def shortened(items: Sequence[T], most: int = LINES) -> tuple[Sequence[T], str]:
    """The first items, and ``and 3 more`` for those left out; "" if there are none."""
    more = len(items) - most
    return items[:most], f"and {more} more" if more > 0 else ""
