"""The outcome of a validation, in each of its formats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, assert_never

from reconciler.ci_systems import break_commands
from reconciler.diagnostics import Diagnostic
from reconciler.render.formats import OutputFormat
from reconciler.render.human.diagnostics import diagnostics, summary
from reconciler.render.json import to_json
from reconciler.wording import counted

if TYPE_CHECKING:
    from reconciler.config.load import Loaded
    from reconciler.render.formats import ValidationFormat
    from reconciler.render.terminal import Style


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationDocument:
    """The outcome of a validation: how many files and documents were read, and every problem.

    With warnings alone, ``valid`` is true.
    """

    format_version: Literal["1.0"] = "1.0"
    valid: bool
    environment: str = ""
    files: int
    documents: int
    diagnostics: tuple[Diagnostic, ...]


def validation(
    loaded: Loaded, output_format: ValidationFormat, style: Style, *, places: int = 0
) -> str:
    """Every problem with its position, and the outcome."""
    match output_format:
        case OutputFormat.HUMAN:
            text = diagnostics(loaded.diagnostics, style)
            end = _last_of_part(loaded, places) if places else _last(loaded)
            return f"{text}\n\n{end}" if text else end
        case OutputFormat.JSON:
            return to_json(
                ValidationDocument(
                    valid=_is_valid(loaded, places),
                    environment=loaded.environment,
                    files=loaded.files,
                    documents=loaded.documents,
                    diagnostics=loaded.diagnostics,
                )
            )
        case OutputFormat.GITHUB:
            end = _last_of_part(loaded, places) if places else _last(loaded)
            return "\n".join([*(_annotation(item) for item in loaded.diagnostics), end])
        case _:
            assert_never(output_format)


def _is_valid(loaded: Loaded, places: int) -> bool:
    """Whether the configuration, or the part of it that was named, has no errors."""
    if places:
        return not any(item.is_error for item in loaded.diagnostics)
    return loaded.snapshot is not None


def _last_of_part(loaded: Loaded, places: int) -> str:
    what = f"{places} named files and folders" if places > 1 else "The named file or folder"
    verb = "are" if places > 1 else "is"
    state = "valid" if _is_valid(loaded, places) else "not valid"
    said = f" {summary(loaded.diagnostics).capitalize()}." if loaded.diagnostics else ""
    return f"{what} {verb} {state}.{said}"


def _last(loaded: Loaded) -> str:
    where = f" for {loaded.environment}" if loaded.environment else ""
    read = f"{counted(loaded.documents, 'document')} in {counted(loaded.files, 'file')}"
    if loaded.snapshot is None:
        return f"The configuration is not valid{where}: {summary(loaded.diagnostics)} in {read}."
    connectors = loaded.snapshot.connectors
    drafts = sum(item.draft for item in connectors)
    what = counted(len(connectors), "connector") + (f", {drafts} of them a draft" if drafts else "")
    said = f" {summary(loaded.diagnostics).capitalize()}." if loaded.diagnostics else ""
    return f"The configuration is valid{where}: {read}, {what}.{said}"


def _annotation(item: Diagnostic) -> str:
    place = f"file={_property(item.file)}"
    if item.line:
        place += f",line={item.line},col={item.column}"
    text = f"{item.message} {item.hint}".strip()
    escaped = break_commands(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return f"::{item.severity} {place},title={_property(item.rule)}::{escaped}"


def _property(text: str) -> str:
    text = break_commands(text)
    for char, escape in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A"), (":", "%3A"), (",", "%2C")):
        text = text.replace(char, escape)
    return text
