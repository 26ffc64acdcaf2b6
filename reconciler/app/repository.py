"""The git repository around the working folder, found without running git."""

from __future__ import annotations

from pathlib import Path

from reconciler.render.source_root import NO_ROOT, SourceRoot


def source_root() -> SourceRoot:
    """Find the top of the work tree that the working folder is in; runs no program."""
    here = Path.cwd()
    top = next((item for item in (here, *here.parents) if (item / ".git").exists()), None)
    return SourceRoot(top.as_posix(), here.as_posix()) if top is not None else NO_ROOT
