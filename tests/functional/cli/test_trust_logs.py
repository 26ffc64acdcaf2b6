"""Names that a CI system would take for commands reach its log broken up."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.ci_systems import break_commands, has_command, open_line
from reconciler.render.json import to_json

if TYPE_CHECKING:
    from tests.functional.conftest import Home

NAMES = ("##[add-mask]e", "##vso[task.setvariable variable=PATH]x", "##teamcity[buildStop]",
         "section_start:0:x[collapsed=true]")  # fmt: skip
COMMAND = re.compile(r"##(\[|vso\[|teamcity\[)|(?m:^\s*::)|section_(start|end):")


@pytest.mark.sweep
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


@pytest.mark.parametrize("name", NAMES)
def test_json_keeps_its_meaning(name: str, home: Home) -> None:
    home.edit("info.yaml", "General enquiries", f"'{name}'")
    done = home.run("plan", "--first-apply", "--format", "json", CI="true")
    assert COMMAND.search(done.out) is None
    changes = {item["address"]: item for item in json.loads(done.out)["resource_changes"]}
    assert changes["EmailConnector.info"]["change"]["after"]["display_name"] == name


@pytest.mark.parametrize("name", NAMES)
def test_an_exported_state_keeps_its_meaning(name: str, home: Home) -> None:
    home.edit("info.yaml", "General enquiries", f"'{name}'")
    home.apply_untested()
    done = home.run("state", "export", CI="true")
    assert COMMAND.search(done.out) is None
    (home.folder / "state.json").write_text(done.out)
    elsewhere = {"RECONCILER_STATE": f"sqlite:///{home.folder}/elsewhere/state.db"}
    assert home("state", "import", "state.json", **elsewhere).status == 0
    assert name in home("show", "info", **elsewhere).out


def test_the_name_of_a_file_gives_no_command_either(home: Home) -> None:
    for name in ("##[group]x.yaml", "##vso[x]y.yaml"):
        (home.config / name).write_text("kind: Nothing\n")
    for form in ("human", "json", "github"):
        done = home.run("validate", "--format", form, GITHUB_ACTIONS="true")
        assert done.status == 3
        assert re.search(r"##(\[|vso\[)", done.said) is None, form


def test_intended_annotations_are_commands(home: Home) -> None:
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
        ("::a ##[b] section_start:c", ": :a # #[b] section_start :c"),
    ],
)
def test_only_text_that_would_be_a_command_is_changed(text: str, broken: str) -> None:
    assert break_commands(text) == broken


PIECES = st.lists(
    st.sampled_from(["#", "##", "[", "[x]", "vso", "vso[", "teamcity", ":", "::", " ", "\t", "\n", "\r\n", "\r", "a", "b\n",
                     "section_", "start", "section_end", "end:", "é", "section_start:", "#" * 20, " " * 20]),
    max_size=12,
)  # fmt: skip


@given(pieces=PIECES)
def test_a_command_in_several_writes_is_broken_up_too(pieces: list[str]) -> None:
    line = out = ""
    for piece in pieces:
        out += break_commands(piece, line)
        line = open_line(piece, line)
    assert not has_command(out)
    assert re.search(r"(?:^|[\r\n])\s*::", out) is None, "a reader may end lines at CR too"
    assert out.replace(" ", "") == "".join(pieces).replace(" ", "")
    if not has_command("".join(pieces)):
        assert out == "".join(pieces)


@given(pieces=PIECES)
def test_json_holds_no_command_and_means_the_same(pieces: list[str]) -> None:
    document = {"a": "".join(pieces), "b": ["##[x]", *pieces]}
    written = to_json(document)
    assert break_commands(written) == written
    assert json.loads(written) == document


def test_the_streams_remember_the_line_that_is_not_finished(home: Home) -> None:
    code = "from reconciler.cli.streams import prepare; prepare(); import sys\n" + "\n".join(
        f"sys.{name}.write({piece!r}); sys.{name}.flush()"
        for name in ("stdout", "stderr")
        for piece in ("a #", "#[group]", "x\n", " :", ":error::b\n", "section_st", "art:1\n")
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=home.environ | {"CI": "true"},
        capture_output=True,
        text=True,
        check=True,
    )
    expected = "a # #[group]x\n : :error::b\nsection_start :1\n"
    assert (done.stdout, done.stderr) == (expected, expected)
