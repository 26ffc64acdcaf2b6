"""Every folder below ``valid`` and ``invalid`` is a configuration, and is found and

tested. Those in ``valid`` have no problems. Each folder in ``invalid`` has an ``expected.txt``
with all problems; ``RECONCILER_UPDATE_EXAMPLES=1`` writes it, to be read before it is kept.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from reconciler.config.load import load
from reconciler.config.rules import RULES
from reconciler.config.settings_file import load_settings

if TYPE_CHECKING:
    from reconciler.diagnostics import Diagnostic

HERE: Final = Path(__file__).parent
VALID: Final = sorted(path for path in (HERE / "valid").iterdir() if path.is_dir())
INVALID: Final = sorted(path for path in (HERE / "invalid").iterdir() if path.is_dir())

NOT_TO_BE_KEPT_IN_GIT: Final = {
    "file/too-large",  # a file of a mebibyte
    "file/unreadable",  # a file without permissions
    "schema/invalid",  # no document is known that breaks it
    "template/expansion",  # a table of thousands of lines
}


def told(case: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[tuple[Diagnostic, ...], bool]:
    """The problems of a case, and whether it gave a snapshot."""
    monkeypatch.chdir(case)
    settings, of_settings = load_settings(Path("reconciler.yaml"))
    if any(item.is_error for item in of_settings):
        return of_settings, False
    loaded = load(Path("connectors.d"), settings=settings)
    return (*of_settings, *loaded.diagnostics), loaded.snapshot is not None


def as_text(diagnostics: tuple[Diagnostic, ...]) -> str:
    lines = []
    for item in diagnostics:
        lines.append(f"{item.location}: {item.severity} {item.rule}: {item.message}")
        if item.hint:
            lines.append(f"    {item.hint}")
    return "".join(f"{line}\n" for line in lines)


@pytest.mark.parametrize("case", VALID, ids=lambda case: case.name)
def test_a_valid_example_has_no_diagnostics(case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    diagnostics, built = told(case, monkeypatch)
    assert as_text(diagnostics) == ""
    assert built


@pytest.mark.parametrize("case", INVALID, ids=lambda case: case.name)
def test_an_invalid_example_has_all_expected_diagnostics(
    case: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    diagnostics, built = told(case, monkeypatch)
    text = as_text(diagnostics)
    if os.environ.get("RECONCILER_UPDATE_EXAMPLES") == "1":
        (case / "expected.txt").write_text(text, encoding="utf-8")
    assert text == (case / "expected.txt").read_text(encoding="utf-8")
    assert built is not any(item.is_error for item in diagnostics)


def test_every_rule_has_an_example(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = {item.rule for case in INVALID for item in told(case, monkeypatch)[0]}
    assert shown == set(RULES) - NOT_TO_BE_KEPT_IN_GIT
