"""However many problems and results there are, the text stays readable, and counts the rest."""

from __future__ import annotations

from typing import Final

import pytest

from reconciler.cli.progress import TestProgressBar
from reconciler.connection.failure import ErrorClass
from reconciler.diagnostics import Diagnostic, Severity
from reconciler.model.snapshot import Forgotten
from reconciler.render.github import annotation, github
from reconciler.render.human.diagnostics import diagnostics
from reconciler.render.human.plan import forgotten
from reconciler.render.human.tests import ResultList, failures_text
from reconciler.render.source_root import NO_ROOT
from reconciler.render.terminal import PLAIN
from reconciler.values import replace
from reconciler.wording import BLOCKS, LINES, NAMED
from tests.builders import NOON, connector, planned, result, stored

WARNING: Final = Diagnostic("tls/unusual-mode", Severity.WARNING, "Hm.", "", "a.yaml", 1, 1)
ERROR: Final = Diagnostic("tls/mode", Severity.ERROR, "No.", "Do.", "z.yaml", 1, 1)
FAILED: Final = tuple(result(f"box-{n}", ErrorClass.AUTH_REJECTED) for n in range(1000))


def test_ten_thousand_problems_are_counted_by_rule_and_the_errors_are_among_the_first() -> None:
    problems = [*[WARNING] * 9_999, replace(ERROR, line=7)]
    text = diagnostics(problems, PLAIN)
    assert len(text.splitlines()) < BLOCKS + 10
    assert "z.yaml:7:1: error: No. [tls/mode]" in text
    assert text.endswith(
        f"… and {10_000 - BLOCKS} more problems. Of all: 9999 of tls/unusual-mode, 1 of tls/mode."
        " JSON lists each."
    )
    assert "more" not in diagnostics([WARNING] * BLOCKS, PLAIN)


def test_the_number_of_annotations_is_limited() -> None:
    others = [annotation(Severity.WARNING, "box", "failed")] * 1000
    lines = github([*[WARNING] * 9_999, ERROR], NO_ROOT, *others, error="no").splitlines()
    assert len(lines) == 2 * BLOCKS + 2
    assert any("z.yaml" in line for line in lines)
    assert lines[-2] == f"::warning title=reconciler::and {11_000 - 2 * BLOCKS} more"


def test_a_thousand_failures_say_each_sentence_a_few_times_and_are_counted() -> None:
    text = failures_text(FAILED, PLAIN)
    assert text.count("The server refused the login.") == NAMED
    assert text.count("Check the password.") == NAMED
    assert text.count("auth_rejected") == BLOCKS
    assert f"  … and {1000 - BLOCKS} more failed. JSON lists each.\nTested 1000: " in text


@pytest.mark.parametrize("count", [1, BLOCKS])
def test_as_many_as_can_be_read_are_all_there(count: int) -> None:
    shown = ResultList(PLAIN)
    assert all(shown.text(item) for item in FAILED[:count])
    assert shown.end() == ""


def test_passed_results_do_not_displace_failed_ones() -> None:
    shown = ResultList(PLAIN)
    for number in range(1000):
        shown.text(result(f"ok-{number}"))
    assert "auth_rejected" in shown.text(FAILED[0])
    assert shown.end() == f"  … and {1000 - BLOCKS} more passed. JSON lists each."


def test_the_failure_of_another_connector_is_reported() -> None:
    shown = ResultList(PLAIN)
    for item in FAILED[:20]:
        shown.text(item)
    assert "Check the password." not in shown.text(FAILED[20])
    assert "Check the password." in ResultList(PLAIN).text(FAILED[20])


def test_many_redirections_are_counted_and_the_isolation_is_still_reported(
    capsys: pytest.CaptureFixture[str],
) -> None:
    places = tuple(f"m{n}.example:993=127.0.0.1:1{n:03}" for n in range(300))
    TestProgressBar(PLAIN, (*places, "*")).started((connector("box"),))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == LINES + 4
    assert lines[-3:-1] == [f"  and {300 - LINES} more", "  nothing else"]


def test_many_resources_that_are_created_again_are_counted() -> None:
    made = planned(stored(), connector("box"))
    gone = tuple(Forgotten(connector(f"b{n}").address, 1, NOON, "ada") for n in range(300))
    lines = forgotten(replace(made, forgotten=gone), PLAIN).splitlines()
    assert (len(lines), lines[-1]) == (LINES + 2, f"  and {300 - LINES} more")
