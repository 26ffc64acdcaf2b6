"""One word for each thing: docs/decisions/2026-11-26-names.md says why."""

from __future__ import annotations

import ast
import subprocess
import tomllib
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]
PACKAGE: Final = ROOT / "reconciler"
MODULES: Final = sorted(PACKAGE.rglob("*.py"))
LONGEST: Final = 400
_WITHOUT_CODE: Final = ("providers",)


def test_no_module_is_too_long_to_be_read() -> None:
    long = {path.name: len(path.read_text("utf-8").splitlines()) for path in MODULES}
    assert {name: lines for name, lines in long.items() if lines > LONGEST} == {}


def test_a_class_name_means_one_thing() -> None:
    names = Counter(
        node.name
        for path in MODULES
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.ClassDef)
    )
    assert sorted(name for name, count in names.items() if count > 1) == []


LIBRARIES: Final = {
    "click": "cli", "imapclient": "mail", "sqlalchemy": "state", "ruamel": "config", "dns": "discovery",
}  # fmt: skip
"""Each library with the one package that may import it."""


@pytest.mark.parametrize(("library", "owner"), LIBRARIES.items())
def test_every_other_package_may_not_import_a_library(library: str, owner: str) -> None:
    document = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text("utf-8"))
    contracts = document["tool"]["importlinter"]["contracts"]
    (contract,) = (item for item in contracts if library in item.get("forbidden_modules", ()))
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    named = {item.removeprefix("reconciler.") for item in contract["source_modules"]}
    assert packages - named == {owner, *_WITHOUT_CODE}


def test_every_command_has_its_module() -> None:
    from reconciler.cli.main import COMMANDS

    found = {path.stem.rstrip("_") for path in (PACKAGE / "cli" / "commands").glob("*.py")}
    assert set(COMMANDS) == found - {"__init", ""}


def test_the_top_level_holds_what_it_is_known_to_hold() -> None:
    known = {
        "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md", "SECURITY.md", "action.yml", "connectors.d",
        "docs", "mkdocs.yml", "packaging", "pyproject.toml", "reconciler", "schemas", "tests",
    }  # fmt: skip
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("this is not a checkout of git")
    found = {path.partition("/")[0] for path in listed.stdout.splitlines()}
    assert {name for name in found if not name.startswith(".")} <= known
