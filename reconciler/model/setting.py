"""A setting in force, with who set it, and its change since the last apply."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting in force, and who set it."""

    name: str
    value: str
    source: str


@dataclass(frozen=True, slots=True)
class SettingChange:
    """A setting that differs from the last apply; an empty value means that the setting did not exist."""

    name: str
    before: str
    before_source: str
    after: str
    after_source: str


def setting_changes(
    before: Iterable[Setting], after: Iterable[Setting]
) -> tuple[SettingChange, ...]:
    """Compare the values; nothing differs from settings that were never recorded."""
    old = {item.name: item for item in before}
    new = {item.name: item for item in after}
    if not old or not new:
        return ()
    pairs = (
        (old.get(name, Setting(name, "", "")), new.get(name, Setting(name, "", "")))
        for name in dict.fromkeys((*new, *old))
    )
    return tuple(
        SettingChange(a.name, a.value, a.source, b.value, b.source)
        for a, b in pairs
        if a.value != b.value
    )
