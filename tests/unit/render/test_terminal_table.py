"""Columns stand in line, whatever the cells are written in."""

from __future__ import annotations

import pytest

from reconciler.render.terminal import clip, table, width_of


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("plain", 5),
        ("é", 1),
        ("e\u0301", 1),
        ("郵便箱", 6),
        ("📬", 2),
        ("⚠", 1),
        ("⚠\ufe0f", 2),
        ("👍🏽", 2),
        ("👨\u200d👩\u200d👧", 2),
        ("🇩🇪", 2),
        ("📬 Post", 7),
    ],
)
def test_a_text_is_as_wide_as_a_terminal_shows_it(text: str, columns: int) -> None:
    assert width_of(text) == columns


def test_truncated_text_keeps_its_last_character_whole() -> None:
    assert clip("ab👨\u200d👩\u200d👧cd", 5) == "ab👨\u200d👩\u200d👧…"
    assert clip("ab👨\u200d👩\u200d👧cd", 4) == "ab…"
    assert clip("郵便箱", 4) == "郵…"


def test_the_columns_of_a_table_are_aligned() -> None:
    rows = [("👍🏽 yes", "a"), ("郵便", "b"), ("plain text", "c")]
    lines = table(("TEXT", "X"), rows, 80)
    assert {width_of(line[:-1]) for line in lines} == {12}


def test_a_table_narrows_the_given_columns() -> None:
    rows = [("a" * 30, "b" * 30)]
    assert all(width_of(line) <= 40 for line in table(("ONE", "TWO"), rows, 40, gives=(-1, 0)))
