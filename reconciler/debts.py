"""Steps that a command must do before it ends, such as releasing a lock, despite signals."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_owed: dict[object, Callable[[], None]] = {}


def owe(step: Callable[[], None]) -> Callable[[], None]:
    """Defer a step to the end of the command; returns a function that marks it as done."""
    key = object()
    _owed[key] = step

    def strike_off() -> None:
        _owed.pop(key, None)

    return strike_off


def take_owed() -> tuple[Callable[[], None], ...]:
    """The remaining steps, the newest first, for the caller to do."""
    steps = tuple(reversed(_owed.values()))
    _owed.clear()
    return steps
