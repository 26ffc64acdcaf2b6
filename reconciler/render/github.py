"""Workflow commands of GitHub Actions that annotate the files of a pull request.

The commands and their escapes are those of
https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands and of the toolkit that
reads them (https://github.com/actions/toolkit, packages/core/src/command.ts).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.ci_systems import break_commands
from reconciler.diagnostics import Severity
from reconciler.render.human.diagnostics import first_problems
from reconciler.render.terminal import visible
from reconciler.wording import BLOCKS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.diagnostics import Diagnostic
    from reconciler.render.source_root import SourceRoot


def github(
    problems: Sequence[Diagnostic], root: SourceRoot, *others: str, error: str | None = None
) -> str:
    """A line for each problem, ``others`` as :func:`annotation` makes them, and why the command failed.

    A step shows ten of each kind, so a few hundred are plenty: JSON and SARIF have all.
    """
    lines = [_at_its_place(item, root) for item in first_problems(problems)]
    lines += others[:BLOCKS]
    left = len(problems) + len(others) - len(lines)
    if left:
        lines.append(annotation(Severity.WARNING, "reconciler", f"and {left} more"))
    if error is not None:
        lines.append(annotation(Severity.ERROR, "reconciler", error))
    return "\n".join(lines)


def annotation(severity: Severity, title: str, message: str) -> str:
    """A line about no file."""
    return f"::{severity} title={_property(title)}::{_data(message)}"


def _at_its_place(item: Diagnostic, root: SourceRoot) -> str:
    place = f"file={_property(root.path(item.file))}"
    if item.line:
        place += f",line={item.line},col={item.column}"
    text = f"{item.message} {item.hint}".strip()
    return f"::{item.severity} {place},title={_property(item.rule)}::{_data(text)}"


def _data(text: str) -> str:
    shown = "\n".join(visible(line) for line in break_commands(text).split("\n"))
    return shown.replace("%", "%25").replace("\n", "%0A")


def _property(text: str) -> str:
    text = _data(text)
    for char, escape in ((":", "%3A"), (",", "%2C")):
        text = text.replace(char, escape)
    return text
