"""Writing a stored revision as a configuration: checked first, and never over a file."""

from __future__ import annotations

import shutil
import uuid
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from reconciler.app.atomic_file import refuse_escape
from reconciler.app.history import revision
from reconciler.config.files import find
from reconciler.config.layout import files_of
from reconciler.config.load import load
from reconciler.diagnostics import Diagnostic
from reconciler.disk_fault import disk_fault
from reconciler.errors import ConfigurationInvalid, ReconcilerError, UsageError
from reconciler.model.address import Kind
from reconciler.plan.inputs import Desired
from reconciler.plan.planner import Plan, plan
from reconciler.wording import listed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.app.workspace import Workspace
    from reconciler.model.snapshot import Snapshot, StoredState
    from reconciler.state.base import PastState

NO_RENAMES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ExportedFiles:
    """The files of a configuration, its warnings, and what an apply of it would do now."""

    files: tuple[Path, ...]
    warnings: tuple[Diagnostic, ...]
    plan: Plan


def write_stored(workspace: Workspace, folder: Path) -> ExportedFiles:
    """Write everything that is stored as a configuration of which the plan is empty.

    Raises ReconcilerError, and writes nothing, if that cannot be: nothing is stored, the folder
    holds YAML already, or the stored connectors break a rule of the settings.
    """
    current = workspace.stored()
    origin = f"Written by `reconciler import` from revision {current.serial} of the state."
    return _write(workspace, folder, current.snapshot, current, origin=origin)


def write_revision(workspace: Workspace, folder: Path, serial: int) -> ExportedFiles:
    """Write everything as it was at a revision, as a configuration.

    Connectors that have got another name since say so with ``renamed_from``, so that going back
    keeps their history. Raises ReconcilerError as above, and if there is no such revision.
    """
    with workspace.reading() as reader:
        revision(reader, serial)
        current, past = reader.load(), reader.past(serial)
        now = reader.past(current.serial)
    origin = f"As it was at revision {serial} of the state; written by `reconciler rollback`."
    return _write(
        workspace, folder, past.snapshot, current, origin=origin, renames=_renames(past, now)
    )


def _renames(past: PastState, now: PastState) -> dict[str, str]:
    """The present names of connectors that had another one, where neither name is taken."""
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
    files = files_of(snapshot, origin, renames)
    draft = folder.parent / f".{folder.name}-{uuid.uuid4().hex[:8]}"
    try:
        draft.mkdir(parents=True)
        for name, text in files.items():
            (draft / name).write_text(text, encoding="utf-8")
        warnings, made = _proved(workspace, draft, folder, snapshot, current)
        _put_in_place(draft, folder, tuple(files))
    except OSError as error:
        fault = disk_fault(error, folder)
        raise ReconcilerError(
            f"{folder} cannot be written: {fault.reason}",
            hint=f"{fault.remedy} Name another folder with --out.",
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return ExportedFiles(tuple(folder / name for name in files), warnings, made)


def _put_in_place(draft: Path, folder: Path, names: tuple[str, ...]) -> None:
    """Move the files of a draft into a folder, all of them or none; none is written over."""
    moved: list[Path] = []
    is_new = not folder.exists()
    folder.mkdir(exist_ok=True)
    try:
        for name in names:
            # Taking the name first, so that nothing that appears meanwhile is written over.
            (folder / name).open("x").close()
            moved.append(folder / name)
            (draft / name).replace(folder / name)
    except BaseException:
        for path in moved:
            path.unlink(missing_ok=True)
        if is_new:
            with suppress(OSError):
                folder.rmdir()
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
    workspace: Workspace, draft: Path, folder: Path, snapshot: Snapshot, current: StoredState
) -> tuple[tuple[Diagnostic, ...], Plan]:
    """Read the written files back; raises if they differ from the stored resources."""
    loaded = load(draft, settings=workspace.settings)
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
    return diagnostics, plan(Desired(loaded.snapshot, loaded.renames), current)
