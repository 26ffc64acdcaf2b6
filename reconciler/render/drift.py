"""Drift, as text, as Markdown, and as a document for machines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, assert_never

from reconciler.connection.failure import ErrorClass, Stage
from reconciler.diagnostics import Severity
from reconciler.model.protocol import Protocol
from reconciler.model.snapshot import Status
from reconciler.probe.drift import Checked, DriftFinding, FindingKind
from reconciler.render.formats import OutputFormat
from reconciler.render.github import annotation, github
from reconciler.render.human.tests import ResultList, summary
from reconciler.render.json import to_json
from reconciler.render.junit import JUnitCase, broken, junit_suite
from reconciler.render.markdown import escape
from reconciler.render.source_root import NO_ROOT
from reconciler.render.terminal import PLAIN, instant, minute, visible
from reconciler.render.test import failed_test_annotations
from reconciler.wording import BLOCKS, counted, shortened

if TYPE_CHECKING:
    from reconciler.render.formats import DriftFormat, TestReportFormat
    from reconciler.render.terminal import Style


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingDocument:
    """One change in one account of a connector."""

    kind: FindingKind
    protocol: Protocol
    summary: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FailingDocument:
    """An account of a connector that fails now, whether or not that is a change."""

    protocol: Protocol
    stage: Stage
    error_class: ErrorClass
    cause: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftedDocument:
    """A connector that changed or does not work; times are ISO 8601 in UTC.

    ``before`` is its status in the test at ``tested_before``, which is null if there was none.
    ``failing_since`` is null for one that works.
    """

    connector: str
    outcome: Literal["passed", "rejected", "unreachable"]
    before: Status
    tested_before: str | None
    failing_since: str | None
    findings: tuple[FindingDocument, ...]
    failing: tuple[FailingDocument, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftDocument:
    """What has changed since the last tests.

    ``connectors`` lists only those with findings or failures.

    ``tested`` counts all connectors, ``drifted`` those with findings, ``rejected`` and
    ``unreachable`` those that do not work now. ``error`` says why nothing could be compared; null
    if nothing went wrong.
    """

    format_version: Literal["1.0"] = "1.0"
    error: str | None = None
    serial: int
    cert_days: int
    tested: int
    drifted: int
    rejected: int
    unreachable: int
    connectors: tuple[DriftedDocument, ...]


def drift_text(
    output_format: DriftFormat, drift: DriftDocument, checked: tuple[Checked, ...], style: Style
) -> str:
    """What has changed since the last tests, and what fails."""
    match output_format:
        case OutputFormat.HUMAN:
            return _human(checked, style)
        case OutputFormat.JSON:
            return to_json(drift)
        case OutputFormat.MARKDOWN:
            return _markdown(drift, checked)
        case _:
            assert_never(output_format)


def drift_report(
    output_format: TestReportFormat, drift: DriftDocument, checked: tuple[Checked, ...]
) -> str:
    """The report of a search for drift, for a file."""
    match output_format:
        case OutputFormat.JSON:
            return to_json(drift)
        case OutputFormat.MARKDOWN:
            return _markdown(drift, checked)
        case OutputFormat.JUNIT:
            cases = [_case(item) for item in checked]
            return junit_suite("reconciler drift", [*cases, *broken(drift.error)])
        case OutputFormat.GITHUB:
            lines = [
                annotation(Severity.WARNING, item.result.connector, _sentence(found))
                for item in checked
                for found in item.findings
            ]
            failed = failed_test_annotations(tuple(item.result for item in checked))
            return github((), NO_ROOT, *lines, *failed, error=drift.error)
        case OutputFormat.HTML:
            from reconciler.render.html.tests import drift_page  # noqa: PLC0415 - only where it is written

            return drift_page(drift)
        case _:
            assert_never(output_format)


def _case(item: Checked) -> JUnitCase:
    """A connector, which fails if something about it has changed or does not work."""
    lines = [_sentence(found) for found in item.findings]
    for account, stage, failure in item.result.failures:
        lines += [f"{account.protocol} at {stage.stage}: {failure.cause}", failure.remedy]
    if not lines:
        return JUnitCase(of=item.result.connector, name="drift", seconds=item.result.seconds)
    return JUnitCase(
        of=item.result.connector,
        name="drift",
        outcome="error" if item.result.unreachable else "failure",
        kind=item.findings[0].kind if item.findings else "fails",
        message=lines[0],
        text="\n".join(lines),
        seconds=item.result.seconds,
    )


def drift_document(
    checked: tuple[Checked, ...], *, serial: int, cert_days: int, error: str | None = None
) -> DriftDocument:
    """Convert it to its published form."""
    results = [item.result for item in checked]
    unreachable = sum(item.unreachable for item in results)
    return DriftDocument(
        error=error,
        serial=serial,
        cert_days=cert_days,
        tested=len(checked),
        drifted=sum(bool(item.findings) for item in checked),
        rejected=sum(not item.passed for item in results) - unreachable,
        unreachable=unreachable,
        connectors=tuple(_drifted(item) for item in checked if item.remarkable),
    )


def _drifted(item: Checked) -> DriftedDocument:
    outcome: Literal["passed", "rejected", "unreachable"] = "passed"
    if not item.result.passed:
        outcome = "unreachable" if item.result.unreachable else "rejected"
    return DriftedDocument(
        connector=item.result.connector,
        outcome=outcome,
        before=item.before,
        tested_before=instant(item.tested) if item.tested else None,
        failing_since=instant(item.failing_since) if item.failing_since else None,
        findings=tuple(
            FindingDocument(
                kind=found.kind,
                protocol=found.protocol,
                summary=found.summary,
                before=found.before,
                after=found.after,
            )
            for found in item.findings
        ),
        failing=tuple(
            FailingDocument(
                protocol=account.protocol,
                stage=stage.stage,
                error_class=failure.error_class,
                cause=failure.cause,
                remedy=failure.remedy,
            )
            for account, stage, failure in item.result.failures
        ),
    )


def _human(checked: tuple[Checked, ...], style: Style) -> str:
    parts = [style.strong(_headline(checked))]
    changed, more = shortened([item for item in checked if item.findings], BLOCKS)
    parts += ["\n".join(_lines(item, style)) for item in changed]
    parts += [f"… {more} have changed. JSON lists each."] if more else []
    still = [item for item in checked if not item.findings and not item.result.passed]
    if still:
        shown = ResultList(style)
        lines = [
            f"{text}\n{style.faint(_failing(item))}"
            for item in still
            if (text := shown.text(item.result))
        ]
        end = [text for text in (shown.end(),) if text]
        parts.append("\n".join([style.strong("Failing as before:"), *lines, *end]))
    if checked:
        parts.append(summary(tuple(item.result for item in checked)))
    return "\n\n".join(parts)


def _lines(item: Checked, style: Style) -> list[str]:
    lines = [style.strong(item.result.connector) + style.faint(_since(item))]
    lines += [f"  {_mark(found, style)} {_sentence(found)}" for found in item.findings]
    for account, _, failure in item.result.failures:
        lines.append(f"      {account.protocol}: {visible(failure.cause)}")
        lines.append(f"      {visible(failure.remedy)}")
        if failure.reply:
            lines.append(style.faint(f"      the server said: {visible(failure.reply)}"))
    return lines


def _mark(found: DriftFinding, style: Style) -> str:
    marks = {
        FindingKind.RECOVERED: "+",
        FindingKind.MECHANISM_NEW: "+",
        FindingKind.FAILS: "-",
        FindingKind.FAILS_OTHERWISE: "-",
        FindingKind.MECHANISM_GONE: "-",
        FindingKind.CAPABILITY_GONE: "-",
        FindingKind.CERTIFICATE_EXPIRES: "!",
    }
    return style.mark(marks.get(found.kind, "~"))


def _sentence(found: DriftFinding) -> str:
    return f"{found.protocol} {visible(found.summary)}"


def _since(item: Checked) -> str:
    return f"  (last test {minute(item.tested)})" if item.tested else "  (not tested before)"


def _failing(item: Checked) -> str:
    return f"      since {minute(item.failing_since)}" if item.failing_since else ""


def _headline(checked: tuple[Checked, ...]) -> str:
    changed = sum(bool(item.findings) for item in checked)
    if not checked:
        return "No drift: there is no connector to test."
    if not changed:
        return "No drift."
    have = "has" if changed == 1 else "have"
    return f"Drift: {changed} of {counted(len(checked), 'connector')} {have} changed."


def _markdown(drift: DriftDocument, checked: tuple[Checked, ...]) -> str:
    parts = ["### Email connectors: drift"]
    if drift.error is not None:
        return "\n\n".join([*parts, f"> [!CAUTION]\n> {escape(visible(drift.error))}"])
    parts.append(f"**{_headline(checked)}**")
    every = [
        f"| {escape(item.result.connector)} | {found.protocol} | {found.kind} "
        f"| {escape(visible(found.summary))} |"
        for item in checked
        for found in item.findings
    ]
    rows, more = shortened(every, BLOCKS)
    if rows:
        head = ["| connector | account | kind | what changed |", "| --- | --- | --- | --- |"]
        parts.append("\n".join([*head, *rows]))
    parts += [f"{more}."] if more else []
    failing = [item.result for item in checked if not item.result.passed]
    if failing:
        shown = ResultList(PLAIN)
        texts = [*(shown.text(item) for item in failing), shown.end()]
        lines = "\n".join(_fenced(text) for text in texts if text)
        parts.append(f"**Failing now**\n\n````\n{lines}\n````")
    if checked:
        parts.append(summary(tuple(item.result for item in checked)))
    return "\n\n".join(parts)


def _fenced(text: str) -> str:
    # A server's text must not end the fence.
    return "\n".join(visible(line).replace("````", "'```") for line in text.split("\n"))
