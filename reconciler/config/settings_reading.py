"""Reading ``reconciler.yaml``, with the same care as the configuration itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.config.files import leads_out, outside, read, shown
from reconciler.config.plain_yaml import read_documents
from reconciler.config.rules import problem, settled
from reconciler.config.settings import DEFAULTS, Settings
from reconciler.config.settings_checks import problems
from reconciler.diagnostics import Diagnostic
from reconciler.model.validators import Invalid, validated

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.config.raw import RawDocument


def read_settings(path: Path, *, within: Path | None) -> tuple[Settings, tuple[Diagnostic, ...]]:
    """Read an existing file; see :func:`~reconciler.config.settings_file.load_settings`."""
    if within is not None and leads_out(path, within):
        return DEFAULTS, (outside(path),)
    text = read(path)
    if isinstance(text, Diagnostic):
        return DEFAULTS, (text,)
    composed = read_documents(text, shown(path))
    if not composed.documents:
        return DEFAULTS, composed.diagnostics
    first, *others = composed.documents
    settings, refused = _validated(first)
    more = tuple(_not_one(document) for document in others)
    diagnostics = settled((*composed.diagnostics, *refused, *more))
    if any(diagnostic.is_error for diagnostic in diagnostics):
        return DEFAULTS, diagnostics
    return settings, diagnostics


def _validated(raw: RawDocument) -> tuple[Settings, tuple[Diagnostic, ...]]:
    if not raw.whole:  # missing values were reported where they got lost
        return DEFAULTS, ()
    try:
        settings = validated(Settings, raw.value)
    except Invalid:
        pass  # its messages repeat values, which may be secret
    else:
        return settings, tuple(problems(raw, settings))
    # jsonschema takes longer to import than everything else here, and most files are valid.
    from reconciler.config.explain import explain  # noqa: PLC0415 - see above
    from reconciler.config.schema import settings_schema  # noqa: PLC0415 - see above

    return DEFAULTS, explain(raw, settings_schema())


def _not_one(raw: RawDocument) -> Diagnostic:
    at = raw.positions.of(())
    message = "The settings must be one document, but this is a second one."
    hint = "Merge them."
    return problem(
        "settings/second-document",
        message,
        hint=hint,
        file=raw.file,
        line=at.line,
        column=at.column,
    )
