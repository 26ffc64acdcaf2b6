"""Long lists continue below where they began."""

from __future__ import annotations

from reconciler.render.terminal import wrapped


def test_text_that_fits_stays_on_its_line() -> None:
    assert wrapped("  name  ", "text", 40) == ["  name  text"]
    assert wrapped("  name  ", "", 40) == ["  name"]


def test_text_that_does_not_fit_continues_below_its_beginning() -> None:
    lines = wrapped("  name  ", "one two three four five six seven", 30)
    assert lines == ["  name  one two three four", "        five six seven"]


def test_colours_take_no_columns() -> None:
    lines = wrapped("\033[1mname\033[0m  ", "one two three four five six", 29, bare="name  ")
    assert lines == ["\033[1mname\033[0m  one two three four five", "      six"]


def test_a_word_that_is_too_long_and_a_terminal_that_is_too_narrow_break_nothing() -> None:
    assert wrapped("head  ", "x" * 80, 40) == ["head  " + "x" * 80]
    assert wrapped("head  ", "one two three four five", 10) == ["head  one two three four five"]
