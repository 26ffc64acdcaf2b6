"""Saved plans on disk."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from reconciler.errors import PlanStale, ReconcilerError
from reconciler.plan.planfile import PlanFile, is_sealed, to_text

_LARGEST = 256 * 1024 * 1024


def write_plan_file(path: Path, file: PlanFile) -> None:
    """Write a plan so that the file is there whole or not at all, readable by its owner alone.

    Raises ReconcilerError if it cannot be written.
    """
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(dir=path.absolute().parent, prefix=".plan-")
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(to_text(file))
        Path(temporary).replace(path)
    except OSError as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise ReconcilerError(f"the plan could not be saved to {path}: {error.strerror}") from error


def read_plan_file(path: Path) -> PlanFile:
    """Read a saved plan.

    Raises PlanStale if it was changed since it was written, and ReconcilerError if it is no plan or
    cannot be read.
    """
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415 - only where files are read

    try:
        if path.stat().st_size > _LARGEST:
            raise ReconcilerError(f"{path} is too large to be a saved plan")
        text = path.read_bytes()
    except OSError as error:
        raise ReconcilerError(f"{path} cannot be read: {error.strerror}") from error
    try:
        file = TypeAdapter(PlanFile).validate_json(text)
    except ValidationError as error:
        raise ReconcilerError(
            f"{path} is no saved plan", hint="Make one with `reconciler plan --out FILE`."
        ) from error
    if not is_sealed(file):
        raise PlanStale(
            f"{path} was changed after it was written",
            hint="Make a new plan with `reconciler plan --out FILE`, and have that one approved.",
        )
    return file
