"""``--report``: written completely, whatever the outcome; if it cannot be, the command does nothing."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from jsonschema import Draft202012Validator

from reconciler.app.schemas import schema
from tests.report_formats import CHECKS

if TYPE_CHECKING:
    from tests.functional.conftest import Home

BROKEN = "kind: EmailConnector\nname: Broken Name\n"
REPORTS = ("json", "markdown", "junit", "sarif", "gitlab", "github")


def _options(formats: tuple[str, ...] = REPORTS) -> list[str]:
    return [word for name in formats for word in ("--report", f"{name}=out/r.{name}")]


def _json(home: Home, name: str = "json") -> Any:
    return json.loads((home.folder / "out" / f"r.{name}").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("command", "name"),
    [(("validate",), "validate"), (("plan",), "plan"),
     (("apply", "--auto-approve"), "apply-report")],
)  # fmt: skip
def test_an_invalid_configuration_is_in_every_report(
    command: tuple[str, ...], name: str, home: Home
) -> None:
    (home.folder / ".git").mkdir()
    home.write("broken.yaml", BROKEN)
    assert home(*command, *_options()).status == 3
    document = _json(home)
    Draft202012Validator(schema(name)).validate(document)
    (problem, *_) = document["diagnostics"]
    assert problem["file"] == "connectors.d/broken.yaml"
    (run,) = _json(home, "sarif")["runs"]
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "connectors.d/broken.yaml"
    assert place["region"]["startLine"] == problem["line"]
    assert _json(home, "gitlab")[0]["location"]["path"] == "connectors.d/broken.yaml"
    assert (
        "::error file=connectors.d/broken.yaml,line=" in (home.folder / "out/r.github").read_text()
    )
    assert int(ET.parse(home.folder / "out" / "r.junit").getroot().get("failures", "0")) >= 1
    text = (home.folder / "out" / "r.markdown").read_text()
    assert any(line.startswith("### Email connectors") for line in text.splitlines()[:3])


FORMATS = {
    "validate": REPORTS, "fmt --check": REPORTS, "plan": REPORTS, "plan --base HEAD": REPORTS,
    "apply --auto-approve": REPORTS,
    **dict.fromkeys(("test --connect-to *", "drift --connect-to *"), ("json", "markdown", "junit", "github")),
}  # fmt: skip


@pytest.mark.sweep
@pytest.mark.parametrize(
    "outcome", ["valid", "invalid", "settings", "damaged state", "wrong usage"]
)
@pytest.mark.parametrize("command", FORMATS)
def test_every_report_matches_its_schema_whatever_the_outcome(
    command: str, outcome: str, home: Home
) -> None:
    git = ("git", "-c", "user.name=a", "-c", "user.email=a@example.com")
    for words in (("init", "-q"), ("add", "--all"), ("commit", "-q", "-m", "one")):
        subprocess.run([*git, *words], cwd=home.folder, check=True)
    home.apply_untested()
    home.edit("support.yaml", "Support mailbox ", "Help   desk ")
    if outcome == "invalid":
        home.write("broken.yaml", BROKEN)
        home.write("odd é [x](y) ::error::.yaml", "kind:\n  - <b>`|\n")
    elif outcome == "settings":
        home.write("../reconciler.yaml", "nonsense: 1\n")
    elif outcome == "damaged state":
        home.state.write_bytes(b"not a state")
    elif outcome == "wrong usage":
        home.environ["RECONCILER_LINEAGE"] = ""
    done = home(*command.split(), *_options(FORMATS[command]))
    assert "a report was not written" not in done.err
    for name in FORMATS[command]:
        CHECKS[name]((home.folder / "out" / f"r.{name}").read_text("utf-8"))


def test_paths_start_at_the_top_of_the_repository(home: Home) -> None:
    (home.folder.parent / ".git").mkdir()
    home.write("broken.yaml", BROKEN)
    done = home("validate", "--format", "github", *_options(("gitlab",)))
    assert "file=home/connectors.d/broken.yaml" in done.out
    assert _json(home, "gitlab")[0]["location"]["path"] == "home/connectors.d/broken.yaml"


def test_a_plan_that_works_keeps_its_schema_and_says_no_error(home: Home) -> None:
    assert home("plan", *_options()).status == 0
    document = _json(home)
    Draft202012Validator(schema("plan")).validate(document)
    assert document["error"] is None
    assert document["resource_changes"]
    cases = {case.get("name") for case in ET.parse(home.folder / "out/r.junit").iter("testcase")}
    assert {check["name"] for check in document["checks"]} <= cases


@pytest.mark.parametrize("works", [True, False])
def test_a_bot_finds_its_comment_again_whether_planning_works_or_not(
    home: Home, *, works: bool
) -> None:
    home.write("../reconciler.yaml", "project: mail\nenvironments: {live: {}, trial: {}}\n")
    if not works:
        home.write("broken.yaml", BROKEN)
    done = home("plan", "--env", "trial", "--report", "markdown=plan.md")
    assert done.status == (0 if works else 3), done.err
    first = (home.folder / "plan.md").read_text().splitlines()[0]
    assert first == "<!-- reconciler:plan project=mail environment=trial -->"


def test_fmt_names_what_would_change_and_where(home: Home) -> None:
    home.write("untidy.yaml", "kind: Group\nname:    x\nmembers: {users: [ada@contoso.example]}\n")
    assert home("fmt", "--check", *_options()).status == 1
    document = _json(home)
    Draft202012Validator(schema("fmt")).validate(document)
    (problem,) = document["diagnostics"]
    assert (problem["rule"], problem["line"]) == ("fmt/layout", 2)
    assert home("fmt", *_options()).status == 0
    assert _json(home)["written"] is True
    assert _json(home)["diagnostics"] == []


@pytest.mark.parametrize("command", [("test",), ("drift",)])
def test_a_command_that_cannot_begin_reports_why(command: tuple[str, ...], home: Home) -> None:
    home.write("../reconciler.yaml", "nonsense: 1\n")
    assert home(*command, *_options(("json", "markdown", "junit", "github"))).status == 3
    assert _json(home)["error"] == "the configuration is not valid"
    assert ET.parse(home.folder / "out/r.junit").getroot().get("errors") == "1"


@pytest.mark.parametrize("place", ["connectors.d", "connectors.d/info.yaml/x"])
def test_a_report_that_cannot_be_written_is_found_before_the_work(place: str, home: Home) -> None:
    done = home("apply", "--auto-approve", "--skip-tests", "none", "--report", f"json={place}")
    assert done.status == 1
    assert "nothing can be written to it" in done.err or "is not a folder" in done.err
    assert not home.state.exists()


def test_two_reports_do_not_share_a_file(home: Home) -> None:
    done = home("plan", "--report", "json=r", "--report", "markdown=./r")
    assert done.status == 64
    assert "two reports cannot both be written" in done.err


def test_a_failure_is_still_shown_if_its_report_cannot_be_written(home: Home) -> None:
    home.write("../reconciler.yaml", "nonsense: 1\n")
    done = home("drift", "--report", "json=/dev/full")
    assert done.status == 3


def test_a_report_can_be_read_by_others_as_any_new_file(home: Home) -> None:
    mask = os.umask(0o022)
    try:
        assert home("validate", "--report", "json=v.json").status == 0
    finally:
        os.umask(mask)
    assert (home.folder / "v.json").stat().st_mode & 0o777 == 0o644
    assert [item.name for item in home.folder.iterdir() if item.name.startswith(".v")] == []
