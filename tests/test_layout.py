"""One word for each thing: docs/decisions/2026-11-26-names.md says why."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path
from typing import Final

PACKAGE: Final = Path(__file__).parents[1] / "reconciler"
MODULES: Final = sorted(PACKAGE.rglob("*.py"))
LONGEST: Final = 400


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


def test_every_command_has_its_module() -> None:
    from reconciler.cli.main import COMMANDS

    found = {path.stem.rstrip("_") for path in (PACKAGE / "cli" / "commands").glob("*.py")}
    assert set(COMMANDS) == found - {"__init", ""}
