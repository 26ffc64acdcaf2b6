"""Finding the project: upwards from the working folder, as git does, or as named.

A parent folder may belong to another user, who would then control the hosts and state of
everybody working below it (as in CVE-2022-24765, in git). Such a folder is refused unless named
explicitly.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from reconciler.errors import NoProject, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SETTINGS_FILE: Final = "reconciler.yaml"
CONNECTORS: Final = "connectors.d"
SCHEMA: Final = "schemas/connectors.schema.json"
"""Where a project keeps the schema for editors."""

_WRITABLE_BY_ALL: Final = 0o002


class ProjectFolder(Struct, frozen=True):
    """The folder of a project and the folders of its connectors.

    ``home`` is absolute, without links. ``roots`` are spelled relative to the working folder.
    ``named`` says that the roots were named explicitly: then they may be outside ``home``.
    ``exists`` is false where neither settings nor connectors were found; ``home`` is then the
    best guess.
    """

    home: Path
    roots: tuple[Path, ...]
    named: bool
    exists: bool

    @property
    def settings_file(self) -> Path:
        """The settings file, relative to the working folder."""
        return _relative(self.home) / SETTINGS_FILE

    @property
    def bounds_of_roots(self) -> Path | None:
        """The folder that the roots may not leave: ``home``, unless they were named."""
        return None if self.named else self.home

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders of the connectors below ``home``, sorted: the same on every machine."""
        return tuple(
            sorted(os.path.relpath(os.path.realpath(root), self.home) for root in self.roots)
        )

    @property
    def place(self) -> str | None:
        """The path from the top of the git work tree to ``home``; None outside of git."""
        top = next((item for item in _upwards(self.home) if (item / ".git").exists()), None)
        return None if top is None else self.home.relative_to(top).as_posix()


def find_project(
    environ: Mapping[str, str], named: tuple[Path, ...] = (), *, trusted: bool = False
) -> ProjectFolder:
    """Find the project of the working folder, or of the named folders of connectors.

    ``trusted`` says that the working folder itself was named (``-C``). Raises NoProject if the
    project belongs to another user, and UsageError if the folders belong to different projects.
    """
    if named:
        return _of_named(environ, named)
    start = Path(os.path.realpath(Path.cwd()))
    home = next((item for item in _upwards(start) if is_project(item)), None)
    if home is None:
        return ProjectFolder(start, (Path(CONNECTORS),), named=False, exists=False)
    if not (trusted and home == start):
        _refuse_foreign(home, start, environ)
    return ProjectFolder(home, (_relative(home / CONNECTORS),), named=False, exists=True)


def enclosing_project(folder: Path, environ: Mapping[str, str]) -> Path | None:
    """The nearest project around a folder, skipping those of other users."""
    for item in _upwards(folder):
        if is_project(item) and not _foreign(item, folder, environ):
            return item
    return None


def _of_named(environ: Mapping[str, str], named: tuple[Path, ...]) -> ProjectFolder:
    found = [_named(environ, item) for item in named]
    homes = list(dict.fromkeys(home for home, _ in found))
    if len(homes) > 1:
        raise UsageError(
            f"{named[0]} and {next(item for item, (home, _) in zip(named, found, strict=True) if home != homes[0])}"
            " belong to different projects",
            hint="A project is the folder with reconciler.yaml or connectors.d; plan each on its own.",
        )
    roots = tuple({os.path.realpath(root): root for _, root in found}.values())
    exists = is_project(homes[0]) or any(os.path.isdir(root) for root in roots)  # noqa: PTH112 - raises nothing
    return ProjectFolder(homes[0], roots, named=True, exists=exists)


def _named(environ: Mapping[str, str], folder: Path) -> tuple[Path, Path]:
    """The project and the connectors of a named folder, which may be either of the two."""
    real = Path(os.path.realpath(folder))
    if is_project(real):
        return real, folder / CONNECTORS
    home = next((item for item in _upwards(real.parent) if is_project(item)), real.parent)
    if home != real.parent:
        _refuse_foreign(home, real.parent, environ)
    return home, folder


def _upwards(folder: Path) -> Iterator[Path]:
    yield folder
    yield from folder.parents


def is_project(folder: Path) -> bool:
    """Whether a folder holds settings or connectors."""
    # os.path does not raise for an unreadable folder; a dangling link counts as existing.
    return os.path.lexists(folder / SETTINGS_FILE) or os.path.isdir(folder / CONNECTORS)  # noqa: PTH112


def _relative(path: Path) -> Path:
    """A path as seen from the working folder, the shortest form first."""
    return Path(os.path.relpath(path))


def _refuse_foreign(home: Path, start: Path, environ: Mapping[str, str]) -> None:
    for part, owner in _foreign(home, start, environ):
        raise NoProject(
            f"the project in {home} is not used: {part} belongs to another user (uid {owner})",
            hint=f"If you trust them, name the project: reconciler -C {home} …",
        )


def _foreign(home: Path, start: Path, environ: Mapping[str, str]) -> list[tuple[Path, int]]:
    """The part of a project that another user could have created, and which user.

    The folder that the search starts in may belong to another user, as checkouts in containers
    do; but if it is world-writable, its files must belong to us.
    """
    trusted = _trusted_users(environ)
    if trusted is None or (home == start and not home.stat().st_mode & _WRITABLE_BY_ALL):
        return []
    names = (SETTINGS_FILE, CONNECTORS) if home == start else ("", SETTINGS_FILE, CONNECTORS)
    parts = [home / name for name in names if os.path.lexists(home / name)]
    owners = [(part, part.lstat().st_uid) for part in parts]
    return [(part, owner) for part, owner in owners if owner not in trusted]


def _trusted_users(environ: Mapping[str, str]) -> set[int] | None:
    """Whose files count as ours: the user's, root's, and under sudo the calling user's."""
    if not hasattr(os, "geteuid"):
        return None
    user = os.geteuid()
    caller = environ.get("SUDO_UID", "")
    return {0, user} | ({int(caller)} if user == 0 and caller.isdecimal() else set())
