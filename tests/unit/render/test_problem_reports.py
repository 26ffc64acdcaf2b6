"""Problems of the configuration as SARIF, code quality, annotations and JUnit, whatever they hold."""

from __future__ import annotations

import json
import unicodedata
from typing import Final
from urllib.parse import unquote
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from reconciler.diagnostics import Diagnostic, Severity
from reconciler.render.github import github
from reconciler.render.gitlab import gitlab
from reconciler.render.junit import junit_suite, problem_cases
from reconciler.render.sarif import sarif
from reconciler.render.source_root import SourceRoot
from tests.report_formats import CHECKS

ROOT: Final = SourceRoot("/repo", "/repo/mail")
HOSTILE: Final = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from("\0\x1b\u202e\ufffe\r\n%]>:,#😀")
) | st.sampled_from(
    ["]]>", "%0A::error::x", "::error::x", "##[group]", "a](b)", "{0}", "section_start:1"]
)
PROBLEMS: Final = st.lists(
    st.builds(
        Diagnostic,
        rule=st.sampled_from(["schema/invalid", "tls/mode"]),
        severity=st.sampled_from(Severity),
        message=HOSTILE.filter(bool),
        hint=HOSTILE,
        file=HOSTILE,
        line=st.integers(0, 9),
        column=st.integers(0, 9),
    ),
    max_size=4,
)


@given(problems=PROBLEMS)
def test_sarif_matches_the_schema_of_2_1_0(problems: list[Diagnostic]) -> None:
    text = sarif(problems, ROOT, command="validate", error="interrupted")
    CHECKS["sarif"](text)
    document = json.loads(text)
    (run,) = document["runs"]
    assert [item["ruleId"] for item in run["results"]] == [item.rule for item in problems]
    assert run["invocations"][0]["executionSuccessful"] is False
    prints = [item["partialFingerprints"]["reconcilerProblem/v1"] for item in run["results"]]
    assert len(set(prints)) == len(prints)


@given(problems=PROBLEMS)
def test_code_quality_has_a_place_and_a_fingerprint_for_each(problems: list[Diagnostic]) -> None:
    text = gitlab(problems, ROOT)
    CHECKS["gitlab"](text)
    found = json.loads(text)
    assert len({item["fingerprint"] for item in found}) == len(problems)


@given(problems=PROBLEMS)
def test_no_text_makes_an_annotation_of_its_own(problems: list[Diagnostic]) -> None:
    lines = github(problems, ROOT).split("\n") if problems else []
    assert len(lines) == len(problems)
    for line, item in zip(lines, problems, strict=True):
        assert line.startswith(f"::{item.severity} file=")
        assert not [char for char in line if unicodedata.category(char) in {"Cc", "Zl", "Zp"}]
        properties = line[2:].partition("::")[0]
        assert properties.endswith(f",title={item.rule.replace(':', '%3A')}")


@given(problems=PROBLEMS)
def test_junit_matches_its_schema_and_counts_the_errors(problems: list[Diagnostic]) -> None:
    text = junit_suite("reconciler validate", problem_cases(problems))
    CHECKS["junit"](text)
    root = ET.fromstring(text.encode())
    assert root.get("tests") == str(len(problems))
    assert root.get("failures") == str(sum(item.is_error for item in problems))
    assert len(list(root.iter("failure"))) == sum(item.is_error for item in problems)


def test_paths_start_at_the_top_of_the_repository_and_are_percent_encoded() -> None:
    assert ROOT.path("connectors.d/a.yaml") == "mail/connectors.d/a.yaml"
    assert ROOT.path("../x.yaml") == "x.yaml"
    assert ROOT.path("../../etc/passwd") == "../../etc/passwd"
    uri, below = ROOT.uri("connectors.d/a b:#é%.yaml")
    assert uri == "mail/connectors.d/a%20b%3A%23%C3%A9%25.yaml"
    assert below
    assert unquote(uri) == "mail/connectors.d/a b:#é%.yaml"
    assert SourceRoot().uri("/etc/x y") == ("file:///etc/x%20y", False)
