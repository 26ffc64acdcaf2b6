"""Reports of live tests; what a terminal shows of one result is in `human.tests`."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from reconciler.render.formats import OutputFormat
from reconciler.render.human.tests import failures_text
from reconciler.render.json import to_json
from reconciler.render.junit import junit

if TYPE_CHECKING:
    from reconciler.probe.report import TestReport
    from reconciler.probe.result import ConnectorResult
    from reconciler.render.formats import TestFormat, TestReportFormat
    from reconciler.render.terminal import Style


def report_text(document: TestReport, output_format: TestReportFormat) -> str:
    """The report of a run, for a file."""
    match output_format:
        case OutputFormat.JSON:
            return to_json(document)
        case OutputFormat.JUNIT:
            return junit(document)
        case _:
            assert_never(output_format)


def merged_text(
    document: TestReport,
    results: tuple[ConnectorResult, ...],
    output_format: TestFormat,
    style: Style,
) -> str:
    """The report of a run in shards; for people, the failures and the counts."""
    match output_format:
        case OutputFormat.HUMAN:
            return failures_text(results, style)
        case OutputFormat.JSON | OutputFormat.JUNIT:
            return report_text(document, output_format)
        case _:
            assert_never(output_format)
