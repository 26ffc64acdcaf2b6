"""Results of live tests as JUnit XML, which CI systems show beside a pull request.

The schema is the one that Jenkins, GitLab and GitHub's actions read:
https://github.com/testmoapp/junitxml. A rejection by a server is a failure; an unreachable server,
or a run that ended early, is an error.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

from reconciler.render.terminal import visible

if TYPE_CHECKING:
    from reconciler.probe.report import (
        ConnectorReport,
        FailureDocument,
        ProtocolDocument,
        TestReport,
    )

_SUITE: Final = "reconciler test"


def junit(report: TestReport) -> str:
    """A suite with a case for each account of each connector, and one for each that was not run."""
    cases = [_case(item, account) for item in report.connectors for account in item.protocols]
    cases += [_not_run(name) for name in (report.run.not_run if report.run else ())]
    if report.error is not None:
        cases.append(_broken(report.error))
    counts = {
        "name": _SUITE,
        "tests": str(len(cases)),
        "failures": str(sum(case.find("failure") is not None for case in cases)),
        "errors": str(sum(case.find("error") is not None for case in cases)),
        "skipped": str(sum(case.find("skipped") is not None for case in cases)),
        "time": _seconds(sum(item.seconds for item in report.connectors)),
    }
    root = ET.Element("testsuites", counts)
    suite = ET.SubElement(root, "testsuite", counts)
    if report.connectors:
        suite.set("timestamp", min(item.started_at for item in report.connectors))
    suite.extend(cases)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}'


def _case(connector: ConnectorReport, account: ProtocolDocument) -> ET.Element:
    place = f"{account.protocol} {account.host}:{account.port}"
    case = _new_case(connector.connector, place, sum(stage.seconds for stage in account.stages))
    for stage in account.stages:
        if stage.failure is not None:
            kind = "error" if stage.failure.error_class.unreachable else "failure"
            found = ET.SubElement(
                case, kind, type=stage.failure.error_class, message=_text(stage.failure.cause)
            )
            found.text = _reason(stage.failure, place, stage.stage)
    lines = [
        f"{stage.stage}: {stage.outcome}" + (f", {stage.detail}" if stage.detail else "")
        for stage in account.stages
    ]
    if account.via:
        lines.insert(0, f"redirected to {account.via}")
    ET.SubElement(case, "system-out").text = "\n".join(_text(line) for line in lines)
    return case


def _reason(failure: FailureDocument, place: str, stage: str) -> str:
    lines = [f"{place} at {stage}: {failure.error_class}", failure.cause, failure.remedy]
    if failure.reply:
        lines.append(f"The server said: {failure.reply}")
    return "\n".join(_text(line) for line in lines)


def _not_run(name: str) -> ET.Element:
    case = _new_case(name, "not run", 0.0)
    ET.SubElement(case, "skipped", message="The run ended before it was tested.")
    return case


def _broken(problem: str) -> ET.Element:
    case = _new_case("reconciler", "run", 0.0)
    ET.SubElement(case, "error", type="run", message=_text(problem))
    return case


def _new_case(connector: str, name: str, seconds: float) -> ET.Element:
    return ET.Element(
        "testcase", classname=_text(connector), name=_text(name), time=_seconds(seconds)
    )


def _seconds(value: float) -> str:
    return f"{value:.4f}"


def _text(text: str) -> str:
    # XML 1.0 has no way to write most control characters, escaped or not (section 2.2).
    return "".join(
        f"\\u{ord(char):04x}" if unicodedata.category(char) == "Cn" else char
        for char in visible(text)
    )
