"""Writing a stored revision as a configuration: checked first, without overwriting any file."""

from __future__ import annotations

import os
from codecs import BOM_UTF8
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from reconciler.app.atomic_file import refuse_escape
from reconciler.app.history import revision
from reconciler.config.documents import ParseOnce, parse
from reconciler.config.files import decode, find, read_bytes, shown
from reconciler.config.layout import files_of
from reconciler.config.load import Loaded, load
from reconciler.config.plain_yaml import ReadOnce, read_documents
from reconciler.config.rewriting import rewritten
from reconciler.config.variables import Variables
from reconciler.disk_fault import disk_fault
from reconciler.drafts import draft_of, remove_abandoned
from reconciler.errors import ConfigurationInvalid, ReconcilerError, UsageError
from reconciler.model.address import Kind
from reconciler.model.connector import Connector
from reconciler.plan.changes import ChangeCounts
from reconciler.plan.diff import differences
from reconciler.plan.inputs import Desired
from reconciler.state.decoding import NO_RESOURCES
from reconciler.values import replace
from reconciler.wording import listed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from reconciler.app.workspace import Workspace
    from reconciler.config.rewriting import Rewritten
    from reconciler.diagnostics import Diagnostic
    from reconciler.model.snapshot import Snapshot, StoredState
    from reconciler.state.base import PastState

NO_RENAMES: Mapping[str, str] = MappingProxyType({})


class ExportedFiles(Struct, frozen=True):
    """The files of a configuration, its warnings, and how much an apply of it would change now.

    ``kept`` are the project's files that did not have to change. ``notes`` list what could not
    be preserved.
    """

    files: tuple[Path, ...]
    warnings: tuple[Diagnostic, ...]
    counts: ChangeCounts
    kept: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()


def write_stored(workspace: Workspace, folder: Path) -> ExportedFiles:
    """Write everything that is stored as a configuration whose plan is empty.

    Raises ReconcilerError, and writes nothing, if that is impossible: nothing is stored, the folder
    holds YAML already, or the stored connectors break a rule of the settings.
    """
    own = _own_files(workspace)
    current = workspace.stored(own.snapshot)
    origin = f"Written by `reconciler import` from revision {current.serial} of the state."
    return _write(workspace, folder, current.snapshot, current, own, origin=origin)


def write_revision(workspace: Workspace, folder: Path, serial: int) -> ExportedFiles:
    """Write everything as it was at a revision, as a configuration.

    Connectors that were renamed since get ``renamed_from``, so that going back
    keeps their history. Raises ReconcilerError as above, and if there is no such revision.
    """
    with workspace.reading() as reader:
        revision(reader, serial)
        own = _own_files(workspace)
        current = reader.load(own.snapshot.by_address if own.snapshot else NO_RESOURCES)
        stored = current.snapshot.by_address
        past = reader.past(serial, stored)
        now = reader.past(current.serial, stored) if _some_are_gone(past, current) else past
    origin = f"As it was at revision {serial} of the state; written by `reconciler rollback`."
    return _write(
        workspace, folder, past.snapshot, current, own, origin=origin, renames=_renames(past, now)
    )


def _some_are_gone(past: PastState, current: StoredState) -> bool:
    """Whether some connector no longer exists; otherwise none was renamed."""
    there = {item.resource.address for item in current.resources}
    return any(
        item.address not in there for item in past.resources.values() if isinstance(item, Connector)
    )


def _renames(past: PastState, now: PastState) -> dict[str, str]:
    """The current names of renamed connectors, where neither name is taken."""
    then = {item.address for item in past.resources.values()}
    present = {item.address for item in now.resources.values()}
    return {
        was.address.name: now.resources[uid].address.name
        for uid, was in past.resources.items()
        if uid in now.resources
        and was.address.kind is Kind.EMAIL_CONNECTOR
        and now.resources[uid].address not in then
        and was.address not in present
    }


def _write(
    workspace: Workspace,
    folder: Path,
    snapshot: Snapshot,
    current: StoredState,
    own: _OwnFiles,
    *,
    origin: str,
    renames: Mapping[str, str] = NO_RENAMES,
) -> ExportedFiles:
    if not snapshot.resources:
        raise ReconcilerError(
            "there is nothing to write: the state has no resources",
            hint="`reconciler init` starts a configuration.",
        )
    refuse_escape(folder)
    _refuse_what_is_there(folder)
    found = _files(workspace, own, snapshot, origin, renames)
    try:
        with draft_of(folder) as draft:
            draft.mkdir(parents=True)
            remove_abandoned(draft)
            _write_all(draft, found.data)
            warnings, counts = _proved(
                workspace, draft, folder, snapshot, current, written=found, own=own
            )
            _put_in_place(draft, folder, tuple(found.data))
    except OSError as error:
        fault = disk_fault(error, folder)
        raise ReconcilerError(
            f"{folder} cannot be written: {fault.reason}",
            hint=f"{fault.remedy} Name another folder with --out.",
        ) from error
    unchanged = set(found.kept)
    names = [name for name in found.data if name not in unchanged]
    return ExportedFiles(
        tuple(folder / name for name in names),
        warnings,
        counts,
        tuple(folder / name for name in found.kept),
        found.notes,
    )


_NEW_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


def _write_all(folder: Path, data: Mapping[str, bytes]) -> None:
    made = {""}
    for name, content in data.items():
        above, _, _ = name.rpartition("/")
        if above not in made:
            (folder / above).mkdir(parents=True, exist_ok=True)
            made.add(above)
        _write_new(f"{folder}/{name}", content)


def _write_new(path: str, content: bytes) -> None:
    """Write a file that does not exist; a file object would take as long as the system does to create it."""
    descriptor = os.open(path, _NEW_FILE, 0o666)
    try:
        while content:
            content = content[os.write(descriptor, content) :]
    finally:
        os.close(descriptor)


class _FilesToWrite(Struct, frozen=True):
    """The contents by file name; ``kept`` are the files of the project that did not change.

    ``loaded`` is what the contents were loaded as, if none changed.
    """

    data: Mapping[str, bytes]
    kept: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    loaded: Loaded | None = None


def _files(
    workspace: Workspace,
    own: _OwnFiles,
    snapshot: Snapshot,
    origin: str,
    renames: Mapping[str, str],
) -> _FilesToWrite:
    """The project's own files, changed as far as they have to be; without such files, new ones."""
    if own.snapshot is not None:
        done = rewritten(
            {name: text for name, (_, text) in own.texts.items()},
            snapshot,
            Variables.of(workspace.settings, workspace.environment),
            renames=renames,
            header=origin,
            meant=own.snapshot,
            read_as=own.read_as,
        )
        if done is not None:
            data = _as_bytes(own.texts, done)
            notes = (*done.notes, *_other_environments(workspace, done))
            unchanged = len(done.kept) == len(own.texts) == len(data)
            return _FilesToWrite(data, done.kept, notes, own.loaded if unchanged else None)
    texts = files_of(snapshot, origin, renames)
    return _FilesToWrite({name: text.encode() for name, text in texts.items()})


class _OwnFiles(Struct, frozen=True):
    """The octets and texts of the project's files by name, and what they were loaded as, if there are any.

    ``read_as`` and ``parse_as`` know the texts and documents that were read.
    """

    texts: dict[str, tuple[bytes, str]]
    loaded: Loaded | None
    read_as: ReadOnce
    parse_as: ParseOnce

    @property
    def snapshot(self) -> Snapshot | None:
        """What the files mean; None if they are not valid, and without files."""
        return self.loaded.snapshot if self.loaded is not None else None


def _own_files(workspace: Workspace) -> _OwnFiles:
    """Load the project's files; none if they are in several folders."""
    read_as, parse_as = ReadOnce(), ParseOnce()
    project = workspace.project
    if not project.exists or len(project.roots) != 1 or workspace.undecided is not None:
        return _OwnFiles({}, None, read_as, parse_as)
    (root,) = project.roots
    there = find(root, within=project.bounds_of_roots)
    found, texts = {}, {}
    for path in there.paths:
        data = read_bytes(path)
        text = decode(data, shown(path)) if isinstance(data, bytes) else data
        if not isinstance(data, bytes) or not isinstance(text, str):
            return _OwnFiles({}, None, read_as, parse_as)
        found[_name_below(root, path)] = (data, text)
        texts[path] = text
    loaded = workspace.load(found=there, texts=texts, read_as=read_as, parse_as=parse_as)
    return _OwnFiles(found, loaded if found else None, read_as, parse_as)


def _name_below(folder: Path, path: Path) -> str:
    """The name of a file that was found below a folder, relative to it."""
    return "/".join(path.parts[len(folder.parts) :])


def _other_environments(workspace: Workspace, done: Rewritten) -> tuple[str, ...]:
    """A note to plan in the other environments, which share the files."""
    others = [name for name in workspace.settings.environments if name != workspace.environment]
    if not others or len(done.kept) == len(done.texts):
        return ()
    changed = f"what changed for {workspace.environment} changes for {listed(others)} too"
    return (f"{changed}: plan there as well",)


def _as_bytes(own: Mapping[str, tuple[bytes, str]], done: Rewritten) -> dict[str, bytes]:
    """The files as octets: a kept file unchanged, others with their original byte order mark."""
    data: dict[str, bytes] = {}
    kept = set(done.kept)
    for name, text in done.texts.items():
        before = own[name][0] if name in own else b""
        mark = BOM_UTF8 if before.startswith(BOM_UTF8) else b""
        data[name] = before if name in kept else mark + text.encode()
    return data


def _put_in_place(draft: Path, folder: Path, names: tuple[str, ...]) -> None:
    """Move the files of a draft into a folder, all or none, without overwriting any."""
    is_new = not folder.exists()
    if is_new:
        with suppress(OSError):  # created and filled by somebody else meanwhile
            draft.rename(folder)
            return
    moved: list[Path] = []
    made: list[Path] = []
    folder.mkdir(exist_ok=True)
    try:
        for name in names:
            path = folder / name
            made += [item for item in path.parents if folder in item.parents and not item.exists()]
            path.parent.mkdir(parents=True, exist_ok=True)
            # Reserve the name first, so that a file created meanwhile is not overwritten.
            path.open("x").close()
            moved.append(path)
            (draft / name).replace(path)
    except BaseException:
        for path in moved:
            path.unlink(missing_ok=True)
        if is_new:
            made.append(folder)
        for item in sorted(made, key=lambda item: len(item.parts), reverse=True):
            with suppress(OSError):
                item.rmdir()
        raise


def only_folder(roots: tuple[Path, ...]) -> Path:
    """Return the default folder to write to; raises UsageError if there are several."""
    if len(roots) > 1:
        raise UsageError(
            f"the connectors are in {len(roots)} folders", hint="Name one of them with --out."
        )
    return roots[0]


def _refuse_what_is_there(folder: Path) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ReconcilerError(f"{folder} is not a folder", hint="Name another one with --out.")
    there = find(folder).paths
    if there:
        names = listed([path.name for path in there])
        raise ReconcilerError(
            f"{folder} already contains a configuration: {names}",
            hint="Files are never overwritten. Name a new folder with --out, and compare the two.",
        )


def _proved(
    workspace: Workspace,
    draft: Path,
    folder: Path,
    snapshot: Snapshot,
    current: StoredState,
    *,
    written: _FilesToWrite,
    own: _OwnFiles,
) -> tuple[tuple[Diagnostic, ...], ChangeCounts]:
    """Read the written files back; raises if they differ from the stored resources."""
    loaded = written.loaded
    # Diagnostics would name the project's files.
    if loaded is None or loaded.diagnostics or not _holds(draft, written.data):
        loaded = load(
            draft,
            settings=workspace.settings,
            environment=workspace.environment,
            read_as=own.read_as if own.texts else read_documents,
            parse_as=own.parse_as if own.texts else parse,
        )
    diagnostics = tuple(
        replace(item, file=item.file.replace(draft.as_posix(), folder.as_posix(), 1))
        for item in loaded.diagnostics
    )
    if loaded.snapshot is None:
        raise ConfigurationInvalid(diagnostics)
    if loaded.snapshot != snapshot:
        raise ReconcilerError(
            "the written files do not read back as the stored state, so none were kept",
            hint="This is a bug in reconciler; please report it.",
        )
    # Equal to what was loaded; and what the state has as well are the same values.
    desired = Desired(snapshot, loaded.renames)
    return diagnostics, ChangeCounts.of(differences(desired, current))


def _holds(folder: Path, data: Mapping[str, bytes]) -> bool:
    """Whether a folder holds exactly these configuration files, octet for octet."""
    there = find(folder)
    if there.diagnostics or len(there.paths) != len(data):
        return False
    return all(data.get(_name_below(folder, path)) == read_bytes(path) for path in there.paths)
