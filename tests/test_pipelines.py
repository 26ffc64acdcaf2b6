"""Workflows, recipes, templates and the action keep to the schemas of their systems, and expose no secret."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from ruamel.yaml import YAML

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[1]
EXAMPLES: Final = ROOT / "packaging" / "examples"
WORKFLOWS: Final = sorted(
    [*(ROOT / ".github" / "workflows").glob("*.yml"), *(EXAMPLES / "github").glob("*.yml")]
)
SCHEMAS: Final = {
    "vendor.github-workflows": WORKFLOWS,
    "vendor.github-actions": [ROOT / "action.yml"],
    "vendor.gitlab-ci": [
        ROOT / "packaging" / "gitlab" / "reconciler.yml",
        EXAMPLES / "gitlab" / ".gitlab-ci.yml",
    ],
}


def document(path: Path) -> Any:
    return YAML(typ="safe").load(path.read_text("utf-8"))


def program(name: str) -> str:
    found = shutil.which(name, path=str(Path(sys.executable).parent))
    if found is None:
        pytest.skip(f"{name} is not installed: it is in the group lint")
    return found


@pytest.mark.parametrize("schema", SCHEMAS)
def test_each_file_matches_its_schema(schema: str) -> None:
    paths = SCHEMAS[schema]
    assert paths
    done = subprocess.run(
        [program("check-jsonschema"), "--builtin-schema", schema, *map(str, paths)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_a_linter_for_the_security_of_workflows_finds_nothing() -> None:
    done = subprocess.run(
        [program("zizmor"), "--offline", "--no-progress", "--color=never", "--no-config",
         *map(str, WORKFLOWS), str(ROOT / "action.yml")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "No findings to report" in done.stdout


def _steps(path: Path) -> Iterator[tuple[str, Any]]:
    found = document(path)
    jobs = found.get("jobs", {"action": found.get("runs", {})})
    for name, job in jobs.items():
        for step in job.get("steps", ()):
            yield name, step


@pytest.mark.parametrize("path", [*WORKFLOWS, ROOT / "action.yml"], ids=lambda path: path.name)
def test_no_script_has_an_expression_in_it(path: Path) -> None:
    for _, step in _steps(path):
        assert "${{" not in step.get("run", ""), step


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_secrets_are_passed_only_to_steps(path: Path) -> None:
    text = path.read_text("utf-8")
    of_steps = sum(
        len(re.findall(r"secrets\.", str(step.get("env", {})))) for _, step in _steps(path)
    )
    assert len(re.findall(r"\bsecrets\.", text)) == of_steps


def test_a_pull_request_gets_no_secret_no_variable_and_no_right_to_write() -> None:
    for path in WORKFLOWS:
        found = document(path)
        if "pull_request" in found.get("on", found.get(True, {})):
            text = path.read_text("utf-8")
            assert "secrets." not in text
            assert "vars." not in text
            assert found["permissions"] == {"contents": "read"}
            assert not any("permissions" in job for job in found["jobs"].values())


def test_a_run_that_may_comment_checks_nothing_out_and_installs_nothing() -> None:
    steps = [step for _, step in _steps(EXAMPLES / "github" / "comment.yml")]
    assert [step["uses"].partition("@")[0] for step in steps] == [
        "actions/download-artifact",
        "contoso/reconciler",
    ]
    assert steps[1]["with"]["command"] == "comment"


def test_every_output_of_the_action_comes_from_its_step() -> None:
    action = document(ROOT / "action.yml")
    assert len(action["outputs"]) > 5
    for name, output in action["outputs"].items():
        assert output["value"] == f"${{{{ steps.run.outputs.{name} }}}}"
