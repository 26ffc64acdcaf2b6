"""The rules of docs/policy.md judge a plan as the page says, in each language that is installed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from tests.functional.conftest import Home

PAGE: Final = (Path(__file__).parents[3] / "docs" / "policy.md").read_text("utf-8")
ELSEWHERE: Final = """\
kind: EmailConnector
name: sales
imap: {server: imap.elsewhere.example, port: 993, use_ssl: true, username: sales@contoso.example, password: "env:S"}
"""


def block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


@pytest.fixture
def plans(home: Home) -> dict[str, str]:
    """Plans as JSON: one that keeps to the rules, and one that breaks both."""
    home.apply_untested()
    home.edit("support.yaml", "Support mailbox ", "Help desk ")
    fine = home("plan", "--format", "json")
    home.write("sales.yaml", ELSEWHERE)
    home.edit("roles.yaml", "groups: [mail-admins]", "groups: [mail-admins]\n  users: [eve@contoso.example]")  # fmt: skip
    bad = home("plan", "--format", "json")
    assert (fine.status, bad.status) == (0, 0), bad.said
    return {"fine": fine.out, "bad": bad.out}


def test_the_page_has_the_fields_of_the_document(plans: dict[str, str]) -> None:
    document = json.loads(plans["bad"])
    named = re.findall(r"^\| `([a-z_.]+)(?:\[\])?` \|", PAGE, re.MULTILINE)
    assert len(named) == 6
    for name in named:
        found = document
        for part in name.split("."):
            found = found[part]


def test_the_python_of_the_page(plans: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "judge.py"
    path.write_text(block("python"))

    def judged(plan: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-I", str(path)], input=plan, capture_output=True, text=True, check=False
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    assert judged(plans["fine"]) == (0, "")
    code, said = judged(plans["bad"])
    assert code == 1
    assert "refused: EmailConnector.sales: imap at imap.elsewhere.example" in said
    assert "more people get the right: administrator" in said


@pytest.mark.parametrize("program", ["opa", "conftest"])
def test_the_rego_of_the_page(program: str, plans: dict[str, str], tmp_path: Path) -> None:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed")
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy" / "mail.rego").write_text(block("rego"))

    def judged(plan: str) -> tuple[int, str]:
        path = tmp_path / "plan.json"
        path.write_text(plan)
        words = {
            "opa": ["eval", "--fail-defined", "--data", "policy", "--input", str(path), "data.main.deny[_]"],
            "conftest": ["test", "--policy", "policy", str(path)],
        }[program]  # fmt: skip
        done = subprocess.run(
            [found, *words], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout + done.stderr

    assert judged(plans["fine"])[0] == 0
    code, said = judged(plans["bad"])
    assert code == 1
    assert "EmailConnector.sales: imap at imap.elsewhere.example" in said
