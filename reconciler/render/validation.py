"""The outcome of a validation, in each of its formats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, assert_never

from msgspec import Struct

from reconciler.diagnostics import Diagnostic
from reconciler.render.formats import OutputFormat
from reconciler.render.github import github
from reconciler.render.human.diagnostics import diagnostics, first_problems, summary
from reconciler.render.json import to_json
from reconciler.render.markdown import escape
from reconciler.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.config.load import Loaded
    from reconciler.render.formats import FileReport, ValidationFormat
    from reconciler.render.source_root import SourceRoot
    from reconciler.render.terminal import Style


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationDocument:
    """The outcome of a validation: how many files and documents were read, and every problem.

    With warnings alone, ``valid`` is true. ``error`` says why nothing could be checked.
    """

    format_version: Literal["1.0"] = "1.0"
    error: str | None = None
    valid: bool
    environment: str = ""
    files: int
    documents: int
    diagnostics: tuple[Diagnostic, ...]


def validation(
    loaded: Loaded,
    output_format: ValidationFormat,
    style: Style,
    root: SourceRoot,
    *,
    places: int = 0,
) -> str:
    """Every problem with its position, and the outcome."""
    match output_format:
        case OutputFormat.HUMAN:
            text = diagnostics(loaded.diagnostics, style)
            end = _end(loaded, places)
            return f"{text}\n\n{end}" if text else end
        case OutputFormat.JSON:
            return to_json(_document(loaded, places))
        case OutputFormat.GITHUB:
            text = github(loaded.diagnostics, root)
            return "\n".join([*([text] if text else []), _end(loaded, places)])
        case _:
            assert_never(output_format)


class Validation(Struct, frozen=True, kw_only=True):
    """The outcome of a validation: what it read, or the ``error`` that stopped it.

    ``strict`` treats warnings as errors; ``places`` counts the files that were named.
    """

    loaded: Loaded | None
    error: str | None = None
    strict: bool = False
    places: int = 0

    @property
    def problems(self) -> tuple[Diagnostic, ...]:
        """Everything that was found."""
        return self.loaded.diagnostics if self.loaded is not None else ()


def validation_report(  # noqa: PLR0911 - a format each
    outcome: Validation, output_format: FileReport, root: SourceRoot
) -> str:
    """The report of a validation, for a file."""
    match output_format:
        case OutputFormat.JSON:
            return to_json(_report_document(outcome))
        case OutputFormat.MARKDOWN:
            return _markdown(outcome, root)
        case OutputFormat.JUNIT:
            return _junit(outcome)
        case OutputFormat.SARIF:
            from reconciler.render.sarif import sarif  # noqa: PLC0415 - only where it is written

            return sarif(outcome.problems, root, command="validate", error=outcome.error)
        case OutputFormat.GITLAB:
            from reconciler.render.gitlab import gitlab  # noqa: PLC0415 - as above

            return gitlab(outcome.problems, root)
        case OutputFormat.GITHUB:
            return github(outcome.problems, root, error=outcome.error)
        case OutputFormat.HTML:
            from reconciler.render.html.problems import validation_page  # noqa: PLC0415 - as above

            document = _report_document(outcome)
            end = _end(outcome.loaded, outcome.places) if outcome.loaded is not None else ""
            verdict = outcome.error or end
            return validation_page(outcome.problems, verdict, valid=document.valid)
        case _:
            assert_never(output_format)


def _report_document(outcome: Validation) -> ValidationDocument:
    if outcome.loaded is not None:
        return _document(outcome.loaded, outcome.places)
    return ValidationDocument(
        valid=False, error=outcome.error, files=0, documents=0, diagnostics=()
    )


def _document(loaded: Loaded, places: int) -> ValidationDocument:
    return ValidationDocument(
        valid=_is_valid(loaded, places),
        environment=loaded.environment,
        files=loaded.files,
        documents=loaded.documents,
        diagnostics=loaded.diagnostics,
    )


def _junit(outcome: Validation) -> str:
    from reconciler.render.junit import JUnitCase, broken, junit_suite, problem_cases  # noqa: PLC0415 - as above

    cases = problem_cases(outcome.problems, strict=outcome.strict)
    if outcome.loaded is not None and not any(item.outcome == "failure" for item in cases):
        end = _end(outcome.loaded, outcome.places)
        cases.append(JUnitCase(of="configuration", name="validate", output=end))
    return junit_suite("reconciler validate", [*cases, *broken(outcome.error)])


def _markdown(outcome: Validation, root: SourceRoot) -> str:
    parts = ["### Email connectors: configuration"]
    if outcome.error is not None:
        parts.append(f"> [!CAUTION]\n> {escape(outcome.error)}")
    if outcome.loaded is not None:
        parts.append(f"**{escape(_end(outcome.loaded, outcome.places))}**")
    if outcome.problems:
        parts.append(problem_table(outcome.problems, root))
    return "\n\n".join(parts)


def problem_table(problems: Sequence[Diagnostic], root: SourceRoot) -> str:
    """Problems as a table of Markdown: the place, the rule, what is wrong and what to do."""
    shown = first_problems(problems)
    rows = []
    for item in shown:
        place = root.path(item.file) + (f":{item.line}:{item.column}" if item.line else "")
        said = escape(f"{item.message} {item.hint}".strip())
        rows.append(f"| {item.severity} | {escape(place)} | {escape(item.rule)} | {said} |")
    left = len(problems) - len(shown)
    lines = ["| | where | rule | what is wrong |", "| --- | --- | --- | --- |", *rows]
    return "\n".join(lines) + (f"\n\nand {left} more." if left else "")


def _end(loaded: Loaded, places: int) -> str:
    return _last_of_part(loaded, places) if places else _last(loaded)


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
