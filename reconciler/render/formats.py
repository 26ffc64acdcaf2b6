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
    """Text for people; the only one that knows colours and widths."""
    JSON = "json"
    """A document with a published schema."""
    MARKDOWN = "markdown"
    """Text for a comment on a pull request."""
    JUNIT = "junit"
    """XML that CI systems show as test results."""
    GITHUB = "github"
    """Workflow commands of GitHub Actions that annotate the files of a pull request."""


# The first format of a set is the default of ``--format``.
TextOrJson = Literal[OutputFormat.HUMAN, OutputFormat.JSON]
PlanFormat = Literal[OutputFormat.HUMAN, OutputFormat.MARKDOWN, OutputFormat.JSON]
DriftFormat = Literal[OutputFormat.HUMAN, OutputFormat.JSON, OutputFormat.MARKDOWN]
TestFormat = Literal[OutputFormat.HUMAN, OutputFormat.JSON, OutputFormat.JUNIT]
ValidationFormat = Literal[OutputFormat.HUMAN, OutputFormat.JSON, OutputFormat.GITHUB]

JsonReport = Literal[OutputFormat.JSON]
ChangeReport = Literal[OutputFormat.JSON, OutputFormat.MARKDOWN]
"""Reports of plan, apply and drift."""
TestReportFormat = Literal[OutputFormat.JSON, OutputFormat.JUNIT]


def formats_of(formats: object) -> tuple[OutputFormat, ...]:
    """List the formats of one of the sets above."""
    return tuple(OutputFormat(item) for item in get_args(formats))
