"""Renaming a resource in all files of a configuration."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from reconciler.app.atomic_file import Replacement, replace_all
from reconciler.app.state import parse_address
from reconciler.config.declared import declared
from reconciler.config.environments import in_environment
from reconciler.config.files import MAX_BYTES, decode, find_all, read_bytes, shown
from reconciler.config.load import Loaded, built_in_providers, load
from reconciler.config.renaming import Obstacle, rename_in
from reconciler.config.settings_file import load_settings
from reconciler.config.suggest import did_you_mean
from reconciler.config.variables import Variables
from reconciler.diagnostics import Diagnostic
from reconciler.errors import ConfigurationInvalid, ReconcilerError, UsageError
from reconciler.model.address import Address, Kind
from reconciler.model.fields import NAME_PATTERN, PROVIDER_NAME_PATTERN
from reconciler.wording import TO_ACT_ON, listed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from reconciler.app.workspace import Workspace
    from reconciler.config.settings import Settings

_EXPECTED: Final = {
    NAME_PATTERN: "a lower-case letter, then letters, digits and hyphens, at most 63 in all",
    PROVIDER_NAME_PATTERN: "a lower-case letter or digit, then letters, digits, dots and hyphens, at most 63 in all",
}


class RenamedFile(Struct, frozen=True):
    """A file in which a resource was renamed: its text before and after, and how often."""

    path: Path
    before: str
    after: str
    places: int
    data: bytes


class Renaming(Struct, frozen=True):
    """What a rename changes."""

    address: Address
    new: str
    files: tuple[RenamedFile, ...]

    @property
    def places(self) -> int:
        """How often the name changes."""
        return sum(item.places for item in self.files)


def prepare_rename(workspace: Workspace, old: str, new: str) -> Renaming:
    """Work out a rename; ``old`` is a connector's name or an address, such as ``Group.staff``.

    Nothing is written. The configuration is valid before and after, in every environment, or this raises
    ConfigurationInvalid. Raises UsageError for a name that is invalid, taken or unknown, and ReconcilerError
    where a name cannot be changed.
    """
    workspace.require_project()
    address = parse_address(old)
    if address.kind is Kind.PERMISSIONS or address.kind.is_singleton:
        raise UsageError(
            f"{address} has no name of its own",
            hint="Permissions follow their connector: rename that."
            if address.kind is Kind.PERMISSIONS
            else "There is one of it alone.",
        )
    new = new.removeprefix(f"{address.kind}.")
    pattern = PROVIDER_NAME_PATTERN if address.kind is Kind.PROVIDER else NAME_PATTERN
    if not re.fullmatch(pattern, new):
        raise UsageError(f"invalid name {new!r}", hint=f"Expected {_EXPECTED[pattern]}.")
    around = _Around.of(workspace)
    before = around.load()
    _require(address, new, before, workspace)
    files = _files(workspace, address, new, around)
    around.load({item.path: item.after for item in files})
    return Renaming(address, new, files)


def write_rename(renaming: Renaming) -> None:
    """Write all files or none; raises ReconcilerError if one cannot be written or has changed."""
    replace_all(
        [
            Replacement(
                item.path.resolve(),
                item.data,
                (codecs.BOM_UTF8 if item.data.startswith(codecs.BOM_UTF8) else b"")
                + item.after.encode(),
            )
            for item in renaming.files
        ]
    )


class _Around(Struct, frozen=True):
    """The configuration in each of its environments: the settings there, by name."""

    workspace: Workspace
    settings: Mapping[str, Settings]

    @classmethod
    def of(cls, workspace: Workspace) -> _Around:
        project = workspace.project
        settings, problems = load_settings(project.settings_file, within=project.home)
        if any(item.is_error for item in problems):
            raise ConfigurationInvalid(problems)
        names = tuple(settings.environments) or ("",)
        return cls(workspace, {name: in_environment(settings, name) for name in names})

    def load(self, texts: Mapping[Path, str] | None = None) -> tuple[Loaded, ...]:
        """Read it for each environment; raises ConfigurationInvalid if it has errors in one."""
        project = self.workspace.project
        found = []
        for name, settings in self.settings.items():
            loaded = load(*project.roots, settings=settings, environment=name,
                          within=project.bounds_of_roots, texts=texts)  # fmt: skip
            if loaded.snapshot is None:
                raise ConfigurationInvalid(loaded.diagnostics)
            found.append(loaded)
        return tuple(found)

    @property
    def variables(self) -> tuple[Variables, ...]:
        return tuple(Variables.of(settings, name) for name, settings in self.settings.items())


def _require(address: Address, new: str, loaded: tuple[Loaded, ...], workspace: Workspace) -> None:
    """Raise UsageError unless the old name exists and the new one is free."""
    there = {resource.address for item in loaded if item.snapshot is not None
             for resource in item.snapshot.resources}  # fmt: skip
    if address not in there:
        others = [str(item) for item in there if item.name == address.name
                  and item.kind not in {Kind.PERMISSIONS, address.kind}]  # fmt: skip
        hint = f"There is {listed(sorted(others), TO_ACT_ON)}." if others else did_you_mean(
            address.name, [item.name for item in there if item.kind is address.kind])  # fmt: skip
        if address.kind is Kind.PROVIDER and _is_built_in(address.name):
            hint = "It is built in; only providers of the configuration can be renamed."
        raise UsageError(f"the configuration has no {address}", hint=hint or "")
    if new == address.name:
        raise UsageError(f"{address} is called {new} already")
    if Address(address.kind, new) in there:
        project = workspace.project
        places = declared(project.roots, within=project.bounds_of_roots)
        place = places.get(Address(address.kind, new))
        raise UsageError(
            f"the name {new} is taken{f', in {place}' if place else ''}",
            hint="Choose another name.",
        )
    if address.kind is Kind.PROVIDER and _is_built_in(new):
        raise UsageError(
            f"the name {new} is that of a built-in provider", hint="Choose another name."
        )


def _is_built_in(name: str) -> bool:
    return any(item.name == name for item in built_in_providers())


def _files(
    workspace: Workspace, address: Address, new: str, around: _Around
) -> tuple[RenamedFile, ...]:
    """The files that name the resource; raises ReconcilerError listing what prevents the rename."""
    project = workspace.project
    found: list[RenamedFile] = []
    obstacles: list[Obstacle] = []
    there = address.kind is not Kind.EMAIL_CONNECTOR
    for path in find_all(project.roots, within=project.bounds_of_roots).paths:
        data = read_bytes(path)
        text = data if isinstance(data, Diagnostic) else decode(data, shown(path))
        if isinstance(text, Diagnostic) or isinstance(data, Diagnostic):
            continue  # it was just read; an error would have been raised
        done = rename_in(text, shown(path), address, new, around.variables)
        obstacles += done.obstacles
        there = there or done.declares
        if done.places:
            if len(done.text.encode()) > MAX_BYTES:
                raise ReconcilerError(f"{path} would become too large", hint="Split it first.")
            found.append(RenamedFile(path, text, done.text, done.places, data))
    if obstacles:
        where = [f"{item.place} ({item.reason})" for item in obstacles]
        raise ReconcilerError(
            f"{address} cannot be renamed at {listed(where, TO_ACT_ON)}; nothing was changed",
            hint=_hint(obstacles, address),
        )
    if not there:
        place = declared(project.roots, within=project.bounds_of_roots).get(address)
        raise ReconcilerError(
            f"{address} has no document of its own{f': it is made at {place}' if place else ''}; nothing was changed",
            hint="Change its name in the table by hand, and name the former one in `renamed_from` of the table.",
        )
    return tuple(found)


def _hint(obstacles: list[Obstacle], address: Address) -> str:
    if any("renamed_from" in item.reason for item in obstacles):
        return (
            "If that rename is applied everywhere, delete `renamed_from` and run this again. If it is not,"
            " change `name` by hand and keep `renamed_from`, since the state knows the older name."
        )
    return (
        f"Write the name {address.name} there as plain text first, or change these places by hand."
    )
