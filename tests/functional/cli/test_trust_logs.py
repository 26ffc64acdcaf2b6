"""Names that a CI system would take for commands reach its log broken up."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from reconciler.ci_systems import break_commands

if TYPE_CHECKING:
    from tests.functional.conftest import Home

NAMES = ("##[add-mask]e", "##vso[task.setvariable variable=PATH]x", "##teamcity[buildStop]",
         "section_start:0:x[collapsed=true]")  # fmt: skip
COMMAND = re.compile(r"##(\[|vso\[|teamcity\[)|(?m:^\s*::)|section_(start|end):")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "ci", ["GITHUB_ACTIONS", "GITLAB_CI", "TF_BUILD", "TEAMCITY_VERSION", "BUILDKITE", "CI"]
)
def test_a_display_name_gives_no_command_to_the_log(name: str, ci: str, home: Home) -> None:
    home.edit("info.yaml", "General enquiries", f"'{name}'")
    done = home.run("plan", "--first-apply", **{ci: "true"})
    assert done.status == 0, done.said
    assert COMMAND.search(done.said) is None
    assert name in home.run("plan").out, "elsewhere it is shown as it is"


@pytest.mark.parametrize("name", NAMES[:3])
def test_json_stays_what_it_means(name: str, home: Home) -> None:
    home.edit("info.yaml", "General enquiries", f"'{name}'")
    done = home.run("plan", "--first-apply", "--format", "json", CI="true")
    assert COMMAND.search(done.out) is None
    changes = {item["address"]: item for item in json.loads(done.out)["resource_changes"]}
    assert changes["EmailConnector.info"]["change"]["after"]["display_name"] == name


def test_the_name_of_a_file_gives_no_command_either(home: Home) -> None:
    for name in ("##[group]x.yaml", "##vso[x]y.yaml"):
        (home.config / name).write_text("kind: Nothing\n")
    for form in ("human", "json", "github"):
        done = home.run("validate", "--format", form, GITHUB_ACTIONS="true")
        assert done.status == 3
        assert re.search(r"##(\[|vso\[)", done.said) is None, form


def test_annotations_that_are_meant_are_commands(home: Home) -> None:
    home.write("broken.yaml", "kind: Nothing\n")
    done = home.run("validate", "--format", "github", GITHUB_ACTIONS="true")
    assert done.out.startswith("::error file=connectors.d/broken.yaml")


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("::stop-commands::x", ": :stop-commands::x"),
        ("  ::set-output name=a::b", "  : :set-output name=a::b"),
        ("a\n\t::error::b\n", "a\n\t: :error::b\n"),
        ("2001:db8::1 and a::b stay", "2001:db8::1 and a::b stay"),
        ("## A heading", "## A heading"),
        ("###[x]", "## #[x]"),
        ("section_end:1:a", "section_end :1:a"),
    ],
)
def test_only_what_would_be_a_command_is_changed(text: str, broken: str) -> None:
    assert break_commands(text) == broken
