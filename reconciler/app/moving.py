"""Moving a whole state: out of one store into a file, and out of the file into another store."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler import __version__
from reconciler.app.wholly import read_wholly, write_wholly
from reconciler.errors import ReconcilerError
from reconciler.state.exported import StateExport, from_text, to_text

if TYPE_CHECKING:
    from datetime import timedelta
    from pathlib import Path

    from reconciler.app.workspace import Workspace


def export_text(workspace: Workspace) -> str:
    """The whole state as text; raises StateError."""
    store = workspace.store(read_only=True)
    try:
        return to_text(replace(store.export(), tool_version=__version__))
    finally:
        store.close()


def write_export(path: Path, text: str) -> None:
    """Write an export so that the file is there whole or not at all, readable by its owner alone.

    Raises ReconcilerError if it cannot be written, or is there already.
    """
    if path.exists():
        raise ReconcilerError(f"{path} is there already", hint="No file is overwritten.")
    try:
        write_wholly(path, text)
    except OSError as error:
        raise ReconcilerError(f"{path} cannot be written: {error.strerror}") from error


def restore(workspace: Workspace, path: Path, holder: str, wait: timedelta) -> StateExport:
    """Fill the state of the workspace, which must be empty, with a file that is proved first.

    Raises ReconcilerError if the file cannot be read; StateError if it is no whole export, or the
    state is not empty; StateLocked.
    """
    export = from_text(read_wholly(path))
    store = workspace.store()
    try:
        with store.lock(holder=holder, operation="state import", wait=wait) as held:
            store.restore(export, token=held.lease.token)
    finally:
        store.close()
    return export
