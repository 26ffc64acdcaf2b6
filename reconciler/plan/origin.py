"""The project and environment that a state was made for, as it records them beside the settings in force.

The identity of a project must be the same in every clone of it, so it contains no absolute path: it
is the name in ``reconciler.yaml``, the place in the git work tree if there is one, and the folders
of its connectors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from reconciler.model.setting import Setting

if TYPE_CHECKING:
    from collections.abc import Iterable

NAME: Final = "project.name"
PLACE: Final = "project.place"
FOLDERS: Final = "project.folders"
ENVIRONMENT: Final = "environment"
_ALL: Final = (NAME, PLACE, FOLDERS, ENVIRONMENT)


class Origin(Struct, frozen=True):
    """A project and one of its environments. ``place`` is empty if unknown."""

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
        """Whether ``other`` may change a state made for this one.

        Places are compared if both are known, as not every copy of a project is in git. A project
        without a name may get one.
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
    """Whether a setting records the origin of a state, and is not a setting of the tool."""
    return setting in (NAME, PLACE, FOLDERS)


def other_origin(stored: Iterable[Setting], now: Iterable[Setting]) -> tuple[Origin, Origin] | None:
    """The origin of a state, and the one that would change it, if they differ."""
    before, after = Origin.of(stored), Origin.of(now)
    if before is None or after is None or before.accepts(after):
        return None
    return before, after


def adopted(stored: Iterable[Setting], now: Iterable[Setting]) -> tuple[Setting, ...]:
    """The recorded settings with the current origin; the others stay, so that a plan still compares them."""
    new = tuple(item for item in now if item.name in _ALL)
    return (*new, *(item for item in stored if item.name not in _ALL))
