"""The output formats, and the sets of them that commands offer.

A command uses one set three times: for its option, for the parameter that the option fills, and for
the render function. The type checker then proves that the function handles each format of the set,
with a ``match`` that ends in `assert_never`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, get_args


class OutputFormat(StrEnum):
    """The values of ``--format`` and ``--report``."""

    HUMAN = "human"
    """Text for people; the only one with colours and widths."""
    JSON = "json"
    """A document with a published schema."""
    JSON_LINES = "jsonl"
    """An entry of such a document on each line, for lists of any length."""
    MARKDOWN = "markdown"
    """Text for a comment on a pull request."""
    JUNIT = "junit"
    """XML that CI systems show as test results."""
    SARIF = "sarif"
    """Problems with their places, for code scanning (OASIS, SARIF 2.1.0)."""
    GITLAB = "gitlab"
    """Problems with their places, as the code quality report of GitLab."""
    GITHUB = "github"
    """Workflow commands of GitHub Actions that annotate the files of a pull request."""
    HTML = "html"
    """A page for a browser, in one file."""


# The first format of a set is the default of ``--format``.
TextOrJson = Literal[OutputFormat.HUMAN, OutputFormat.JSON]
ListFormat = Literal[OutputFormat.HUMAN, OutputFormat.JSON, OutputFormat.JSON_LINES]
EntryFormat = Literal[OutputFormat.JSON, OutputFormat.JSON_LINES]
"""Those that are written one entry at a time."""
PlanFormat = Literal[OutputFormat.HUMAN, OutputFormat.MARKDOWN, OutputFormat.JSON]
DriftFormat = Literal[OutputFormat.HUMAN, OutputFormat.JSON, OutputFormat.MARKDOWN]
TestFormat = Literal[OutputFormat.HUMAN, OutputFormat.JSON, OutputFormat.JUNIT]
ValidationFormat = Literal[OutputFormat.HUMAN, OutputFormat.JSON, OutputFormat.GITHUB]

JsonReport = Literal[OutputFormat.JSON]
FileReport = Literal[
    OutputFormat.JSON,
    OutputFormat.MARKDOWN,
    OutputFormat.JUNIT,
    OutputFormat.SARIF,
    OutputFormat.GITLAB,
    OutputFormat.GITHUB,
    OutputFormat.HTML,
]
"""Reports of validate and fmt."""
PlanReportFormat = Literal[
    OutputFormat.JSON,
    OutputFormat.MARKDOWN,
    OutputFormat.JUNIT,
    OutputFormat.SARIF,
    OutputFormat.GITLAB,
    OutputFormat.GITHUB,
    OutputFormat.HTML,
]
"""Reports of plan and apply."""
StatusReportFormat = Literal[OutputFormat.JSON, OutputFormat.HTML]
TestReportFormat = Literal[
    OutputFormat.JSON,
    OutputFormat.MARKDOWN,
    OutputFormat.JUNIT,
    OutputFormat.GITHUB,
    OutputFormat.HTML,
]
"""Reports of test and drift, whose findings are about servers and have no place in a file."""


def formats_of(formats: object) -> tuple[OutputFormat, ...]:
    """List the formats of one of the sets above."""
    return tuple(OutputFormat(item) for item in get_args(formats))
