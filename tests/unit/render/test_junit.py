"""The JUnit report is valid by its schema whatever servers say, and its counts are right."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from reconciler.connection.failure import ErrorClass, Stage
from reconciler.probe.report import RunDocument, SelectionDocument, TestReport, report
from reconciler.render.junit import junit
from reconciler.values import replace
from tests.builders import result
from tests.report_formats import CHECKS

if TYPE_CHECKING:
    from reconciler.probe.result import ConnectorResult

TEXT = st.text(st.characters() | st.sampled_from("\0\x08\x0b\x1b\x7f\ufffe\uffff\ud800]]>&<\"'"))


def failing(name: str, said: str, error_class: ErrorClass) -> ConnectorResult:
    made = result(name, error_class)
    account = made.protocols[0]
    failure = account.stages[-1].failure
    assert failure is not None
    stage = replace(
        account.stages[-1],
        detail=said,
        failure=replace(failure, cause=said, remedy=said, reply=said),
    )
    return replace(made, protocols=(replace(account, stages=(account.stages[0], stage), via=said),))


def run(*not_run: str) -> RunDocument:
    selection = SelectionDocument(names=(), labels=(), which="all", depth=Stage.ENVELOPE)
    return RunDocument(configuration="", selection=selection, shard=None, not_run=not_run)


def read(document: TestReport) -> ET.Element:
    text = junit(document)
    CHECKS["junit"](text)
    suite = ET.fromstring(text.encode()).find("testsuite")
    assert suite is not None
    return suite


@given(said=TEXT, error_class=st.sampled_from(ErrorClass))
def test_it_is_well_formed_whatever_a_server_says(said: str, error_class: ErrorClass) -> None:
    suite = read(report((failing("payroll", said, error_class),), run(), said))
    assert [case.get("classname") for case in suite] == ["payroll", "reconciler"]


def test_a_rejection_is_a_failure_and_no_answer_is_an_error() -> None:
    suite = read(
        report(
            (
                result("info"),
                result("no-reply", ErrorClass.TIMEOUT),
                result("payroll", ErrorClass.AUTH_REJECTED),
            )
        )
    )
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "1", "1")
    found = {
        str(case.get("classname")): child.tag
        for case in suite
        for child in case
        if child.tag in ("failure", "error")
    }
    assert found == {"no-reply": "error", "payroll": "failure"}


def test_a_connector_that_was_not_run_is_skipped_and_the_reason_is_an_error() -> None:
    suite = read(report((result("info"),), run("payroll", "support"), "interrupted"))
    assert (suite.get("tests"), suite.get("skipped"), suite.get("errors")) == ("4", "2", "1")
    assert [case.get("message") for case in suite.iter("error")] == ["interrupted"]


def test_a_run_of_nothing_is_an_empty_suite() -> None:
    assert read(report(())).get("tests") == "0"
