"""Reports of formatting: which files change, and which could not be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, assert_never

from reconciler.diagnostics import Diagnostic, Severity
from reconciler.render.formats import OutputFormat
from reconciler.render.github import github
from reconciler.render.gitlab import gitlab
from reconciler.render.json import to_json
from reconciler.render.junit import JUnitCase, broken, junit_suite, problem_cases
from reconciler.render.markdown import escape
from reconciler.render.sarif import sarif
from reconciler.render.validation import problem_table
from reconciler.wording import BLOCKS, counted, shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.render.formats import FileReport
    from reconciler.render.source_root import SourceRoot


@dataclass(frozen=True, slots=True, kw_only=True)
class LaidOutFile:
    """A file that was checked. ``line`` is the first that differs, zero if none does."""

    path: str
    changed: bool
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FmtDocument:
    """The outcome of a formatting.

    ``written`` is false if nothing should be written (``--check``, ``--diff``); then each file that would
    change is among the diagnostics (``fmt/layout``). So is every document that was left unchanged
    (``fmt/left-unchanged``), and every file that cannot be read. ``error`` says why it ended early.
    """

    format_version: Literal["1.0"] = "1.0"
    error: str | None = None
    written: bool
    files: tuple[LaidOutFile, ...]
    diagnostics: tuple[Diagnostic, ...]

    @property
    def changed(self) -> tuple[LaidOutFile, ...]:
        """The files that change."""
        return tuple(item for item in self.files if item.changed)


def first_difference(before: str, after: str) -> int:
    """The number of the first line that differs, counted from one; zero if none does."""
    old, new = before.splitlines(), after.splitlines()
    for number, (left, right) in enumerate(zip(old, new, strict=False), start=1):
        if left != right:
            return number
    return 0 if before == after else max(min(len(old), len(new)), 1)


def would_change(path: str, line: int) -> Diagnostic:
    """A file that is not formatted."""
    return Diagnostic(
        "fmt/layout",
        Severity.ERROR,
        "The file is not formatted as `reconciler fmt` does it.",
        "Run `reconciler fmt`.",
        path,
        line,
        1,
    )


def left_unchanged(path: str, line: int, reason: str) -> Diagnostic:
    """A document that could not be formatted."""
    message = f"This document was left unchanged: {reason}."
    return Diagnostic("fmt/left-unchanged", Severity.WARNING, message, "", path, line, 1)


def fmt_report(  # noqa: PLR0911 - a format each
    document: FmtDocument, output_format: FileReport, root: SourceRoot
) -> str:
    """The report of a formatting, for a file."""
    match output_format:
        case OutputFormat.JSON:
            return to_json(document)
        case OutputFormat.MARKDOWN:
            return _markdown(document, root)
        case OutputFormat.JUNIT:
            return junit_suite("reconciler fmt", _cases(document))
        case OutputFormat.SARIF:
            return sarif(document.diagnostics, root, command="fmt", error=document.error)
        case OutputFormat.GITLAB:
            return gitlab(document.diagnostics, root)
        case OutputFormat.GITHUB:
            return github(document.diagnostics, root, error=document.error)
        case OutputFormat.HTML:
            from reconciler.render.html.problems import fmt_page  # noqa: PLC0415 - only where it is written

            return fmt_page(document)
        case _:
            assert_never(output_format)


def _cases(document: FmtDocument) -> Sequence[JUnitCase]:
    named = {item.file for item in document.diagnostics if item.is_error}
    fine = [
        JUnitCase(of=item.path, name="layout") for item in document.files if item.path not in named
    ]
    return [*problem_cases(document.diagnostics), *fine, *broken(document.error)]


def _markdown(document: FmtDocument, root: SourceRoot) -> str:
    parts = ["### Email connectors: layout"]
    if document.error is not None:
        parts.append(f"> [!CAUTION]\n> {escape(document.error)}")
    looked = counted(len(document.files), "file")
    changed = document.changed
    if not changed:
        parts.append(f"**{looked} looked at: nothing to change.**")
    else:
        verb = "were formatted" if document.written else "would change"
        parts.append(f"**{len(changed)} of {looked} {verb}.**")
        shown, more = shortened(changed, BLOCKS)
        lines = [f"- {escape(root.path(item.path))}" for item in shown]
        parts.append("\n".join([*lines, *([f"- {more}"] if more else [])]))
    if document.diagnostics:
        parts.append(problem_table(document.diagnostics, root))
    return "\n\n".join(parts)
