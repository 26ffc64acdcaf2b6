"""Wording: counts, lists of names, and how many are left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")

NAMED: Final = 5
"""How many names a sentence lists; more would not be read, or not fit on a line."""

TO_ACT_ON: Final = 10
"""How many names it lists if the reader acts on each: picks, fixes or approves it."""

LINES: Final = 20
"""How many items a list shows, one per line."""

BLOCKS: Final = 200
"""How many changes, and how many items of a list within one, a plan shows whole: JSON has all of them."""

PAGE_ROWS: Final = 2_000
"""How many rows a table of a page has, which can be filtered."""


def counted(number: int, noun: str) -> str:
    """``1 connector``, ``2 connectors``: for nouns that take an s."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def listed(names: Sequence[object], most: int = NAMED) -> str:
    """The first names, separated by commas, and how many more there are: ``a, b and 3 more``."""
    shown, more = shortened(names, most)
    return ", ".join(str(name) for name in shown) + (f" {more}" if more else "")


def shortened(items: Sequence[T], most: int = LINES) -> tuple[Sequence[T], str]:
    """The first items, and ``and 3 more`` for those left out; "" if there are none."""
    more = len(items) - most
    return items[:most], f"and {more} more" if more > 0 else ""


def indented(lines: Sequence[str], most: int = LINES) -> str:
    """The lines below a sentence: each on a line of its own, the first ones and how many more."""
    shown, more = shortened(lines, most)
    return "".join(f"\n  {line}" for line in (*shown, *([more] if more else [])))


def install_extra(extra: str) -> str:
    """How to install an extra.

    No index is named: the package called reconciler there is another project's.
    """
    return (
        f"Install the extra {extra}: in a checkout with pip install '.[{extra}]', elsewhere with the wheel of "
        "the release, as docs/ci.md shows."
    )
