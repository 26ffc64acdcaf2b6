"""Steps that a command must do before it ends, such as releasing a lock, even if signals broke off the code for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_owed: dict[object, Callable[[], None]] = {}


def owe(step: Callable[[], None]) -> Callable[[], None]:
    """Leave a step to the end of the command; returns a function that strikes it off, once it is done."""
    key = object()
    _owed[key] = step

    def strike_off() -> None:
        _owed.pop(key, None)

    return strike_off


def take_owed() -> tuple[Callable[[], None], ...]:
    """The steps that nobody has struck off, the newest first; they are the caller's to do."""
    steps = tuple(reversed(_owed.values()))
    _owed.clear()
    return steps
