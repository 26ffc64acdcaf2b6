"""Checks a configuration, or some of its files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.app.project_folder import SETTINGS_FILE
from reconciler.values import replace

if TYPE_CHECKING:
    from reconciler.app.workspace import Workspace
    from reconciler.config.load import Loaded
    from reconciler.diagnostics import Diagnostic


def validate(workspace: Workspace, places: tuple[Path, ...] = ()) -> Loaded:
    """Check everything; with ``places``, report only the problems of these files and folders.

    Documents refer to each other, so the whole configuration is always read. Other files are
    checked as if they were part of it.
    """
    if not places:
        return workspace.load()
    files = tuple(item for item in places if not item.is_dir() and item.name != SETTINGS_FILE)
    loaded = workspace.load(files)
    chosen = tuple(Path(os.path.realpath(item)) for item in places)
    kept = tuple(item for item in loaded.diagnostics if _is_in(item, chosen))
    return replace(loaded, diagnostics=kept)


def _is_in(problem: Diagnostic, chosen: tuple[Path, ...]) -> bool:
    return any(Path(os.path.realpath(problem.file)).is_relative_to(item) for item in chosen)
