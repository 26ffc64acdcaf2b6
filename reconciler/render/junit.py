"""Outcomes as JUnit XML, which CI systems show beside a pull request.

The schema is the one that Jenkins, GitLab and GitHub's actions read:
https://github.com/testmoapp/junitxml. A rejection by a server is a failure; an unreachable server,
or a run that ended early, is an error.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from typing import TYPE_CHECKING, Final, Literal
from xml.etree import ElementTree as ET

from msgspec import Struct

from reconciler.render.terminal import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reconciler.diagnostics import Diagnostic
    from reconciler.probe.report import (
        ConnectorReport,
        FailureDocument,
        ProtocolDocument,
        TestReport,
    )

_SUITE: Final = "reconciler test"


class JUnitCase(Struct, frozen=True, kw_only=True):
    """A case: its subject and its outcome.

    ``kind`` and ``message`` say what a failure or an error was, or why a case was skipped; ``text`` is
    the full text, and ``output`` further output.
    """

    of: str
    name: str
    outcome: Literal["passed", "failure", "error", "skipped"] = "passed"
    kind: str = ""
    message: str = ""
    text: str = ""
    output: str = ""
    seconds: float = 0.0


def junit_suite(
    name: str, cases: Sequence[JUnitCase], *, seconds: float = 0.0, at: str = ""
) -> str:
    """The document of a suite; ``at`` is when it began, in ISO 8601."""
    counts = Counter(case.outcome for case in cases)
    attributes = {
        "name": name,
        "tests": str(len(cases)),
        "failures": str(counts["failure"]),
        "errors": str(counts["error"]),
        "time": _seconds(seconds),
    }
    root = ET.Element("testsuites", attributes)  # Jenkins does not support "skipped" there
    suite = ET.SubElement(root, "testsuite", attributes, skipped=str(counts["skipped"]))
    if at:
        suite.set("timestamp", at)
    suite.extend(_element(case) for case in cases)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}'


def _element(case: JUnitCase) -> ET.Element:
    made = ET.Element(
        "testcase", classname=_text(case.of), name=_text(case.name), time=_seconds(case.seconds)
    )
    if case.outcome != "passed":
        found = ET.SubElement(made, case.outcome)
        if case.kind:
            found.set("type", _text(case.kind))
        found.set("message", _text(case.message))
        if case.text:
            found.text = _lines(case.text)
    if case.output:
        ET.SubElement(made, "system-out").text = _lines(case.output)
    return made


def broken(problem: str | None) -> list[JUnitCase]:
    """A case for an error that ended a command early, if any."""
    if problem is None:
        return []
    return [JUnitCase(of="reconciler", name="run", outcome="error", kind="run", message=problem)]


def problem_cases(problems: Iterable[Diagnostic], *, strict: bool = False) -> list[JUnitCase]:
    """A case for each problem. A warning passes with output, unless warnings count as errors."""
    cases = []
    for item in problems:
        said = f"{item.message}\n{item.hint}".strip()
        failed = item.is_error or strict
        cases.append(
            JUnitCase(
                of=item.file or "configuration",
                name=f"{item.rule} at {item.line}:{item.column}" if item.line else item.rule,
                outcome="failure" if failed else "passed",
                kind=item.rule if failed else "",
                message=item.message if failed else "",
                text=f"{item.location}: {said}" if failed else "",
                output="" if failed else f"{item.location}: {item.severity}: {said}",
            )
        )
    return cases


def junit(report: TestReport) -> str:
    """A suite with a case for each account of each connector, and one for each that was not run."""
    cases = connector_cases(report)
    cases += [
        JUnitCase(
            of=name,
            name="not run",
            outcome="skipped",
            message="The run ended before it was tested.",
        )
        for name in (report.run.not_run if report.run else ())
    ]
    cases += broken(report.error)
    return junit_suite(
        _SUITE,
        cases,
        seconds=sum(item.seconds for item in report.connectors),
        at=min((item.started_at for item in report.connectors), default=""),
    )


def connector_cases(report: TestReport) -> list[JUnitCase]:
    """A case for each account of each connector that was tested."""
    return [_case(item, account) for item in report.connectors for account in item.protocols]


def _case(connector: ConnectorReport, account: ProtocolDocument) -> JUnitCase:
    place = f"{account.protocol} {account.host}:{account.port}"
    output = [
        f"{stage.stage}: {stage.outcome}" + (f", {stage.detail}" if stage.detail else "")
        for stage in account.stages
    ]
    if account.via:
        output.insert(0, f"redirected to {account.via}")
    seconds = sum(stage.seconds for stage in account.stages)
    for stage in account.stages:
        if stage.failure is not None:
            failure = stage.failure
            return JUnitCase(
                of=connector.connector,
                name=place,
                outcome="error" if failure.error_class.unreachable else "failure",
                kind=failure.error_class,
                message=failure.cause,
                text=_reason(failure, place, stage.stage),
                output="\n".join(output),
                seconds=seconds,
            )
    return JUnitCase(of=connector.connector, name=place, output="\n".join(output), seconds=seconds)


def _reason(failure: FailureDocument, place: str, stage: str) -> str:
    lines = [f"{place} at {stage}: {failure.error_class}", failure.cause, failure.remedy]
    if failure.reply:
        lines.append(f"The server said: {failure.reply}")
    return "\n".join(lines)


def _seconds(value: float) -> str:
    return f"{value:.4f}"


def _lines(text: str) -> str:
    return "\n".join(_text(line) for line in text.split("\n"))


def _text(text: str) -> str:
    # XML 1.0 has no way to write most control characters, escaped or not (section 2.2).
    return "".join(
        f"\\u{ord(char):04x}" if unicodedata.category(char) == "Cn" else char
        for char in visible(text)
    )
