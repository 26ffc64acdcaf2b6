"""Saved plans on disk."""

from __future__ import annotations

import hmac
import json
import stat
from typing import TYPE_CHECKING

from reconciler.app.atomic_file import write_wholly
from reconciler.app.imported_file import read_json
from reconciler.disk_fault import disk_fault
from reconciler.errors import PlanRefused, PlanStale, ReconcilerError
from reconciler.plan.planfile import FORMAT, PlanFile, Seal, holds_together, to_text
from reconciler.values import replace

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.model.resource import JSON
    from reconciler.plan.inputs import Overrides
    from reconciler.secrets.base import FingerprintKey

_LARGEST = (256 * 1024 * 1024, "a saved plan")
_MAKE_ONE = "Make one with `reconciler plan --out FILE`."
_ANEW = "Make a new plan with `reconciler plan --out FILE`, and have that one approved."


def sealed(file: PlanFile, key: FingerprintKey | None) -> PlanFile:
    """Seal a plan file if there is a key."""
    if key is None:
        return file
    return replace(file, seal=Seal(key_id=key.key_id, mac=key.seal(file.digest)))


def is_sealed(file: PlanFile, key: FingerprintKey | None) -> bool:
    """Whether a saved plan has a valid seal of this key."""
    if key is None or file.seal is None or file.seal.key_id != key.key_id:
        return False
    return hmac.compare_digest(file.seal.mac.encode(), key.seal(file.digest).encode())


def prove_allowed(file: PlanFile, key: FingerprintKey | None, given: Overrides) -> None:
    """Check that the options of a saved plan can be trusted.

    It can if the file is sealed under the key, or if the same options are given again at the apply.

    Raises PlanStale if the file has an invalid seal of this key, and PlanRefused if what it
    allows is neither sealed nor given, or something else is given.
    """
    seal = file.seal if key and file.seal and file.seal.key_id == key.key_id else None
    if key and seal and not hmac.compare_digest(seal.mac.encode(), key.seal(file.digest).encode()):
        raise PlanStale("the saved plan was changed after it was written", hint=_ANEW)
    if given == file.allowed or (seal and not given.options):
        return
    saved = " ".join(file.allowed.options)
    if given.options:
        raise PlanRefused(
            f"the plan was saved with {saved or 'no --allow-… option'}, but different options were given",
            hint="Give the options of the saved plan, or none.",
        )
    raise PlanRefused(
        f"the plan was saved with {saved}, but has no valid seal of this state's key",
        hint=f"To allow it, pass the same options to the apply: {saved}",
    )


def write_plan_file(path: Path, file: PlanFile) -> None:
    """Write a plan atomically, readable by its owner alone.

    Raises ReconcilerError if it cannot be written.
    """
    try:
        write_wholly(path, to_text(file))
    except OSError as error:
        fault = disk_fault(error, path)
        raise ReconcilerError(
            f"the plan could not be saved to {path}: {fault.reason}", hint=fault.remedy
        ) from error


def read_plan_file(path: Path) -> PlanFile:
    """Read a saved plan.

    Raises PlanStale if it was changed since it was written or another release wrote it in a format of
    its own, and ReconcilerError if it is not a plan or cannot be read.
    """
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415 - only where files are read

    text = read_json(path, hint=_MAKE_ONE, largest=_LARGEST)
    try:
        document = json.loads(text, object_pairs_hook=_mapping)
        whole = holds_together(document)
    except (ValueError, RecursionError) as error:  # not JSON, or not written by us
        raise _no_plan(path) from error
    written = document.get("format_version") if isinstance(document, dict) else None
    if not isinstance(written, str) or "digest" not in document:
        raise _no_plan(path)
    if not whole:
        raise PlanStale(f"{path} was changed after it was written", hint=_ANEW)
    if written != FORMAT:
        raise PlanStale(
            f"{path} is a saved plan of format {written[:20]}, and this release reads {FORMAT}",
            hint="Plan and apply with the same release.",
        )
    try:
        return TypeAdapter(PlanFile).validate_json(text)
    except ValidationError as error:
        raise _no_plan(path) from error


def is_plan_file(path: Path) -> bool:
    """Whether a file could be a saved plan: whether it begins like one."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return False
        with path.open("rb") as stream:
            return stream.read(1) == b"{"
    except (OSError, ValueError):
        return False


def _mapping(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
    found = dict(pairs)
    if len(found) != len(pairs):  # two readers could see two different plans
        raise ValueError("a field is duplicated")
    return found


def _no_plan(path: Path) -> ReconcilerError:
    return ReconcilerError(f"{path} is not a saved plan", hint=_MAKE_ONE)
