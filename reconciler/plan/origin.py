"""The project and environment that a state was made for, as it records them beside the settings in force.

What identifies a project must be the same in every clone of it, so no absolute path does: it is the name that
``reconciler.yaml`` gives it, its place in the git work tree where there is one, and the folders of its
connectors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reconciler.model.setting import Setting

if TYPE_CHECKING:
    from collections.abc import Iterable

NAME: Final = "project.name"
PLACE: Final = "project.place"
FOLDERS: Final = "project.folders"
ENVIRONMENT: Final = "environment"
_ALL: Final = (NAME, PLACE, FOLDERS, ENVIRONMENT)


@dataclass(frozen=True, slots=True)
class Origin:
    """Which project, and which of its environments. ``place`` is empty where it is not known."""

    folders: str
    place: str = ""
    name: str = ""
    environment: str = ""

    @classmethod
    def of(cls, settings: Iterable[Setting]) -> Origin | None:
        """Find it among recorded settings; None if it was never recorded."""
        found = {item.name: item.value for item in settings if item.name in _ALL}
        if FOLDERS not in found:
            return None
        return cls(
            found[FOLDERS], found.get(PLACE, ""), found.get(NAME, ""), found.get(ENVIRONMENT, "")
        )

    def settings(self, source: str) -> tuple[Setting, ...]:
        """The same as settings; the environment is one of those in force anyway."""
        values = ((NAME, self.name), (PLACE, self.place), (FOLDERS, self.folders))
        return tuple(Setting(name, value, source) for name, value in values)

    def accepts(self, other: Origin) -> bool:
        """Whether a state made for this one may be changed by ``other``.

        A place is compared where both are known, as not every copy of a project is in git. A project that
        had no name may be given one.
        """
        return (
            self.folders == other.folders
            and self.environment == other.environment
            and (not self.name or self.name == other.name)
            and (not (self.place and other.place) or self.place == other.place)
        )

    def __str__(self) -> str:
        parts = [f"the project {self.name}" if self.name else "a project without a name"]
        if self.environment:
            parts.append(f"the environment {self.environment}")
        where = self.folders if self.place in ("", ".") else f"{self.folders} of {self.place}"
        return f"{', '.join(parts)}, connectors in {where}"


def is_about_origin(setting: str) -> bool:
    """Whether a setting says where a state belongs, and is no setting of the tool."""
    return setting in (NAME, PLACE, FOLDERS)


def other_origin(stored: Iterable[Setting], now: Iterable[Setting]) -> tuple[Origin, Origin] | None:
    """The origin of a state, and the one that would change it, if they differ."""
    before, after = Origin.of(stored), Origin.of(now)
    if before is None or after is None or before.accepts(after):
        return None
    return before, after


def adopted(stored: Iterable[Setting], now: Iterable[Setting]) -> tuple[Setting, ...]:
    """The recorded settings with the origin of now; the others stay, so that a plan compares them still."""
    new = tuple(item for item in now if item.name in _ALL)
    return (*new, *(item for item in stored if item.name not in _ALL))
