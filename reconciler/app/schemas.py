"""The published JSON Schemas, made from the types that they describe."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Final

from reconciler.app.atomic_file import refuse_escape, unwritable, write_wholly

if TYPE_CHECKING:
    from pathlib import Path


EDITOR_SCHEMAS: Final = ("connectors", "settings")
"""The schemas of hand-written files, which editors use for checks."""

FOLDER: Final = "schemas"
"""Where a project keeps them, beside its settings."""


def modeline(path: Path, home: Path, name: str = "connectors") -> str:
    """The first line of a file at ``path``, which leads editors to the schema in the project ``home``.

    yaml-language-server reads it, which most editors use; for everything else it is a comment.
    """
    target = os.path.relpath(home / FOLDER / f"{name}.schema.json", path.parent)
    return f"# yaml-language-server: $schema={target.replace(os.sep, '/')}\n"


def schema(name: str) -> dict[str, Any]:
    """Make one schema: one of NAMES."""
    from pydantic import TypeAdapter  # noqa: PLC0415 - only where schemas are made

    from reconciler.config.schema import schema_id, settings_schema  # noqa: PLC0415
    from reconciler.config.written_schema import editor_schema  # noqa: PLC0415

    if name == "connectors":
        return editor_schema()
    if name == "settings":
        return settings_schema()
    made = TypeAdapter(document_types()[name]).json_schema(mode="serialization")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": schema_id(name),
        **made,
    }


def document_types() -> dict[str, Any]:
    """The type of each document that a command writes in JSON, by the name of its schema."""
    from reconciler.plan.planfile import PlanFile  # noqa: PLC0415
    from reconciler.probe.report import TestReport  # noqa: PLC0415
    from reconciler.render.attempts import AttemptsDocument  # noqa: PLC0415
    from reconciler.render.doctor import DoctorDocument  # noqa: PLC0415
    from reconciler.render.drift import DriftDocument  # noqa: PLC0415
    from reconciler.render.explain import ExplainDocument  # noqa: PLC0415
    from reconciler.render.fmt import FmtDocument  # noqa: PLC0415
    from reconciler.render.history import DiffDocument, HistoryDocument  # noqa: PLC0415
    from reconciler.render.log import LogDocument  # noqa: PLC0415
    from reconciler.render.plan_document import PlanReport  # noqa: PLC0415
    from reconciler.render.report import ApplyReport  # noqa: PLC0415
    from reconciler.render.route import RouteExplanation  # noqa: PLC0415
    from reconciler.render.sent import SendDocument  # noqa: PLC0415
    from reconciler.render.settings import SettingsDocument  # noqa: PLC0415
    from reconciler.render.status import StatusDocument  # noqa: PLC0415
    from reconciler.render.stored import StoredDocument  # noqa: PLC0415
    from reconciler.render.validation import ValidationDocument  # noqa: PLC0415
    from reconciler.state.exported import StateExport  # noqa: PLC0415

    return {
        "plan": PlanReport,
        "plan-file": PlanFile,
        "test-report": TestReport,
        "apply-report": ApplyReport,
        "status": StatusDocument,
        "history": HistoryDocument,
        "diff": DiffDocument,
        "drift": DriftDocument,
        "state-export": StateExport,
        "doctor": DoctorDocument,
        "send": SendDocument,
        "log": LogDocument,
        "attempts": AttemptsDocument,
        "route": RouteExplanation,
        "show": StoredDocument,
        "validate": ValidationDocument,
        "explain": ExplainDocument,
        "fmt": FmtDocument,
        "effective-settings": SettingsDocument,
    }


NAMES = (
    "connectors",
    "settings",
    "plan",
    "plan-file",
    "test-report",
    "apply-report",
    "status",
    "drift",
    "doctor",
    "history",
    "diff",
    "send",
    "log",
    "attempts",
    "route",
    "show",
    "validate",
    "explain",
    "fmt",
    "effective-settings",
    "state-export",
)


def schema_text(name: str) -> str:
    """The text of a schema's file."""
    return json.dumps(schema(name), indent=2, ensure_ascii=False) + "\n"


def write_schemas(folder: Path) -> tuple[Path, ...]:
    """Write every schema; raises ReconcilerError if one cannot be written."""
    written = []
    for name in NAMES:
        path = folder / f"{name}.schema.json"
        refuse_escape(path)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_wholly(path, schema_text(name), public=True)
        except OSError as error:
            raise unwritable(path, error) from error
        written.append(path)
    return tuple(written)


def outdated(folder: Path) -> tuple[Path, ...]:
    """Find the files of a folder that are missing or differ."""
    found = []
    for name in NAMES:
        path = folder / f"{name}.schema.json"
        try:
            current = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            current = ""
        if current != schema_text(name):
            found.append(path)
    return tuple(found)
