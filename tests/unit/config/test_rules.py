"""The page of rules says what the code does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from reconciler.config.load import load
from reconciler.config.rules import RULES, problem
from reconciler.config.settings_file import load_settings
from reconciler.diagnostics import Severity

PAGE: Final = Path(__file__).parents[3] / "docs" / "rules.md"
CODE: Final = Path(__file__).parents[3] / "reconciler"

SECTIONS: Final = {
    match["rule"]: match["text"]
    for match in re.finditer(
        r"^### `(?P<rule>[^`]+)`\n(?P<text>.*?)(?=^##|\Z)",
        PAGE.read_text(encoding="utf-8"),
        re.MULTILINE | re.DOTALL,
    )
}
EXAMPLES: Final = {
    rule: match[1]
    for rule, text in SECTIONS.items()
    if (match := re.search(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
}
WITHOUT_EXAMPLE: Final = {
    "file/missing",
    "file/not-a-folder",
    "file/unreadable",
    "file/link-outside",
    "file/too-large",
    "file/encoding",
    "file/not-yaml",
    "schema/invalid",
    "template/expansion",
}


def test_every_rule_is_explained_and_every_explanation_has_a_rule() -> None:
    assert list(SECTIONS) == list(dict.fromkeys(SECTIONS))
    assert set(SECTIONS) == set(RULES)


def test_every_rule_is_reported_somewhere_in_the_code() -> None:
    text = "".join(
        path.read_text(encoding="utf-8")
        for path in (CODE / "config").rglob("*.py")
        if path.name != "rules.py"
    )
    assert [rule for rule in RULES if f'"{rule}"' not in text] == []


@pytest.mark.parametrize("rule", RULES)
def test_the_page_gives_the_severity_and_a_remedy(rule: str) -> None:
    assert f"**{RULES[rule].value.capitalize()}.**" in SECTIONS[rule]
    assert "*What to do.*" in SECTIONS[rule] or rule == "schema/invalid"


def test_every_rule_that_a_file_can_break_has_an_example() -> None:
    assert set(EXAMPLES) == set(RULES) - WITHOUT_EXAMPLE


@pytest.mark.parametrize("rule", EXAMPLES)
def test_the_example_breaks_this_rule_and_no_other(
    rule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("connectors.d").mkdir()
    if "In `reconciler.yaml`:" in SECTIONS[rule]:
        Path("reconciler.yaml").write_text(EXAMPLES[rule], encoding="utf-8")
    else:
        Path("connectors.d/a.yaml").write_text(EXAMPLES[rule], encoding="utf-8")
    if given := re.search(r"^With `(.*)` in `reconciler.yaml`:$", SECTIONS[rule], re.MULTILINE):
        Path("reconciler.yaml").write_text(given[1], encoding="utf-8")
    settings, diagnostics = load_settings(Path("reconciler.yaml"))
    found = diagnostics or load(Path("connectors.d"), settings=settings).diagnostics
    assert {item.rule for item in found} == {rule}


def test_severity_comes_from_the_registry() -> None:
    assert problem("file/empty", "m").severity is Severity.WARNING
    assert problem("file/missing", "m", file="a").is_error
