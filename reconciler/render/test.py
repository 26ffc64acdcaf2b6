"""Reports of live tests; `human.tests` renders single results for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from reconciler.diagnostics import Diagnostic, Severity
from reconciler.probe.report import results as results_of
from reconciler.render.formats import OutputFormat
from reconciler.render.github import annotation, github
from reconciler.render.human.tests import failures_text, summary
from reconciler.render.json import to_json
from reconciler.render.junit import junit
from reconciler.render.markdown import escape
from reconciler.render.source_root import NO_ROOT, SourceRoot
from reconciler.wording import BLOCKS, shortened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.probe.report import TestReport
    from reconciler.probe.result import ConnectorResult
    from reconciler.render.formats import TestFormat, TestReportFormat
    from reconciler.render.terminal import Style


def report_text(
    document: TestReport,
    output_format: TestReportFormat,
    *,
    problems: tuple[Diagnostic, ...] = (),
    root: SourceRoot = NO_ROOT,
) -> str:
    """The report of a run, for a file; ``problems`` are those of the configuration."""
    match output_format:
        case OutputFormat.JSON:
            return to_json(document)
        case OutputFormat.MARKDOWN:
            return _markdown(document)
        case OutputFormat.JUNIT:
            return junit(document)
        case OutputFormat.GITHUB:
            failed = failed_test_annotations(results_of(document))
            return github(problems, root, *failed, error=document.error)
        case OutputFormat.HTML:
            from reconciler.render.html.tests import test_page  # noqa: PLC0415 - only where it is written

            return test_page(document)
        case _:
            assert_never(output_format)


def failed_test_annotations(results: tuple[ConnectorResult, ...]) -> Iterator[str]:
    """An annotation for each account that failed its test."""
    for item in results:
        for account, stage, failure in item.failures:
            yield annotation(
                Severity.ERROR,
                f"{item.connector}: {account.protocol} {stage.stage}",
                f"{failure.error_class}: {failure.cause}\n{failure.remedy}",
            )


def _markdown(document: TestReport) -> str:
    found = results_of(document)
    parts = ["### Email connectors: live tests"]
    if document.error is not None:
        parts.append(f"> [!CAUTION]\n> {escape(document.error)}")
    parts.append(f"**{summary(found)}**" if found else "Nothing was tested.")
    left = document.run.not_run if document.run else ()
    if left and document.error is not None:
        shown, more = shortened(left)
        names = ", ".join(escape(name) for name in shown) + (f" {more}" if more else "")
        parts.append(f"Not tested: {names}.")
    if found:
        parts.append(results_table(found))
    return "\n\n".join(parts)


def results_table(results: tuple[ConnectorResult, ...]) -> str:
    """Results as a table of Markdown, failures first."""
    ordered = sorted(results, key=lambda item: item.passed)
    shown, more = shortened(ordered, BLOCKS)
    rows = []
    for item in shown:
        for account in item.protocols:
            failed = account.failed
            place = escape(f"{account.protocol} {account.host}:{account.port}")
            said = "passed"
            if failed is not None and failed.failure is not None:
                why = failed.failure
                said = escape(
                    f"failed at {failed.stage} ({why.error_class}): {why.cause} {why.remedy}"
                )
            rows.append(f"| {escape(item.connector)} | {place} | {said} |")
    head = ["| connector | account | result |", "| --- | --- | --- |"]
    return "\n".join([*head, *rows]) + (f"\n\n{more}." if more else "")


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
        case OutputFormat.JSON:
            return report_text(document, OutputFormat.JSON)
        case OutputFormat.JUNIT:
            return report_text(document, OutputFormat.JUNIT)
        case _:
            assert_never(output_format)
