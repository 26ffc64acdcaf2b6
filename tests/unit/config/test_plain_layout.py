"""A text that passes the look at its lines is one that the round trip returns as it is."""

from __future__ import annotations

import re
import string
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reconciler.config.formatting import Formatted, formatted
from reconciler.config.plain_layout import WIDTH, is_laid_out, is_outlined
from reconciler.config.plain_yaml import plain_documents

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[3]
LONGEST = 30_000
"""Characters; the round trip of more takes seconds."""


def by_round_trip(text: str) -> Formatted:
    """What the formatter makes of a text if it looks at no lines first."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("reconciler.config.formatting.is_laid_out", lambda _: False)
        return formatted(text)


def passes(text: str) -> bool:
    """Whether a text passes; if it does, the round trip must change nothing and leave nothing."""
    if plain_documents(text) is None or not is_laid_out(text):
        return False
    assert by_round_trip(text) == Formatted(text)
    assert is_outlined(text)
    return True


def files() -> list[str]:
    """The YAML files of the repository, and what the documentation shows of YAML."""
    found = []
    folders = ("connectors.d", "reconciler", "tests", "packaging", "docs")
    for path in (path for name in folders for path in sorted((ROOT / name).rglob("*.y*ml"))):
        try:
            found.append(path.read_bytes().decode())
        except UnicodeDecodeError:
            continue
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        found += re.findall(
            r"^```ya?ml\n(.*?)^```", path.read_text("utf-8"), re.MULTILINE | re.DOTALL
        )
    return [text for text in found if len(text) <= LONGEST]


FILES = files()


def test_files_of_the_repository_that_pass_are_formatted() -> None:
    passed = [text for text in FILES if passes(text)]
    assert len(passed) > len(FILES) / 2


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\n",
        "---\na: 1\n---\n---\nb: 'x  y'   # why\n",
        "a:\n  b:\n    - c\n    - d: e\n      f:\n        - g\n  h: 1\ni:\n",
        "# of all\n\na:\n  # of b\n  b: 1\n\n  # c: 2\n# of d\nd:   # beside\n  - 1\n  # of 2\n  - 2\n# end\n",
        "a: {b: [c, 'd, e'], f: {}, g: env:H}  # why\ni: []\n",
        f"a: {'long ' * 60}end\n",
        f"a: [{'b' * WIDTH}]\n",
    ],
)
def test_what_passes(text: str) -> None:
    assert passes(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a: 1",
        "a: 1\n\n",
        "\na: 1\n",
        "---\n\na: 1\n",
        "a: 1 \n",
        "a: 1\r\n",
        "a:  1\n",
        "a: ...b\n",
        "a:\n    b: 1\n",
        "a:\n - b\n",
        "a:\n- b\n",
        "a:\n  -  b\n",
        "a:\n  -\n    b: 1\n",
        "a:\n  - # c\n",
        "a: [ b]\n",
        "a: [b ]\n",
        "a: [b,  c]\n",
        "a: {b:  c}\n",
        "a: {b: c }\n",
        "a: [{b: c}]\n",
        "a:  # b\n  - {}\n  - c:\n      - d\n",
        "a:\n  - b\n\n  - [] # c\n",
        "a: [d, {b: c}]\n",
        f"a: [{'b' * WIDTH}, c]\n",
        "a:\n # c\n  b: 1\n",
        "a:\n    # c\n  b: 1\n",
        "a: 1\n  # c\nb: 2\n",
        "a: 1\n  # c\n---\nb: 2\n",
        "a: 1\n  # c\n",
        "a:\n  b: 1 # c\n         # d\n  e: 2\n",
    ],
)
def test_texts_that_are_left_to_the_round_trip(text: str) -> None:
    assert not is_laid_out(text)


def test_any_character_that_is_read_as_plain_stays() -> None:
    letters = [chr(code) for code in (*range(0xA1, 0x600), *range(0x600, 0x20000, 0x91))]
    usual = [letter for letter in letters if plain_documents(f"a: x{letter}\n") is not None]
    assert len(usual) > 1_000
    for start in range(0, len(usual), 100):
        part = enumerate(usual[start : start + 100])
        text = "".join(f"a{i}: x{it}  # {it}\nb{i}: '{it}'\nc{i}: [\"{it}\"]\n" for i, it in part)
        assert passes(text)


# --- documents at random, laid out but for a slip now and then ---


def mostly(usual: str, *others: str) -> st.SearchStrategy[str]:
    return st.integers(0, 24).flatmap(
        lambda n: st.sampled_from(others) if n == 7 else st.just(usual)
    )


FLOW_WORDS = st.sampled_from(
    ["a", "1", "~", "env:X", "a b", "a  b", "x:y", "a#b", "x;y", "a=b", "é", "''", "'z'", '"x, y"', "'[ a'", "...",
     "a@b.example", "y" * 60]
)  # fmt: skip
WORDS = st.one_of(
    FLOW_WORDS,
    st.sampled_from(
        ["true", "0o7", ".5", "$(x)", "a, b", "a]", "a 'b' c", 'a"b', "a?b", "x%", "x&y", "a|b", "x ...", "...x",
         "'a: b # c'", "' q '", '"*@c.example"', "受付", "\U0001f600", "x" * 130, "long text " * 14 + "end",
         "'" + "quoted long " * 12 + "'"]
    ),
)  # fmt: skip
FLOWS = st.recursive(
    FLOW_WORDS,
    lambda inner: st.one_of(
        st.builds(
            lambda items, comma, inside: f"[{inside}{comma.join(items)}]",
            st.lists(inner, max_size=6),
            mostly(", ", ",  ", " , "),
            mostly("", " "),
        ),
        st.builds(
            lambda items, blank, inside: (
                "{" + ", ".join(f"k{n}:{blank}{it}" for n, it in enumerate(items)) + inside + "}"
            ),
            st.lists(inner, max_size=4),
            mostly(" ", "  "),
            mostly("", " "),
        ),
    ),
    max_leaves=10,
)
BESIDE = st.sampled_from(
    ["", "", "", "", " # c", "  # c", "    # c # d", "                # e", " #"]
)
BETWEEN = st.sampled_from(["", "# n", "#", "# n # m", "# - x: y", "#   ..."])
INDENTS = st.sampled_from([2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 0, 3, 4])


@st.composite
def blocks(draw: Callable[..., Any], column: int, depth: int, first: str = "") -> list[str]:
    """The lines of a mapping or a list, which begins in that column or after ``first``."""
    lines: list[str] = []
    is_list = not first and column > 0 and draw(st.booleans())
    for number in range(draw(st.integers(1, 3))):
        at = first if first and not number else " " * column
        if at is not first:
            lines += draw(comments(column))
        if is_list:
            dash = draw(mostly("- ", "-  ", "-"))
            if depth < 4 and draw(st.booleans()):
                lines += draw(blocks(column + len(dash), depth + 1, at + dash))
            else:
                lines.append(f"{at}{dash}{draw(st.one_of(WORDS, FLOWS))}{draw(BESIDE)}")
            continue
        key = f"{at}{'abc'[number]}{draw(st.sampled_from(['', '_x', '-y', 'Z' * 90]))}:"
        if depth < 4 and draw(st.booleans()):
            lines.append(key + draw(BESIDE))
            lines += draw(blocks(column + draw(INDENTS), depth + 1))
        else:
            value = draw(st.one_of(WORDS, FLOWS))
            lines.append(f"{key}{draw(mostly(' ', '  '))}{value}{draw(BESIDE)}")
    return lines


@st.composite
def comments(draw: Callable[..., Any], column: int) -> list[str]:
    """Lines without an entry: blank ones, and comments in line with an entry or not."""
    found = []
    for text in draw(st.lists(BETWEEN, max_size=2)) if draw(st.booleans()) else ():
        shift = draw(st.sampled_from([0, 0, 0, 0, 0, -2, -4, 2, 1]))
        found.append(" " * max(0, column + shift) + text if text else "")
    return found


DOCUMENTS = st.builds(
    lambda lines, end: "".join(f"{line}\n" for line in (*lines, *end)), blocks(0, 0), comments(0)
)
TEXTS = st.builds(
    lambda start, documents, marker, end: start + marker.join(documents)[:-1] + end,
    st.sampled_from(["", "", "---\n", "\n", "# top\n\n"]),
    st.lists(DOCUMENTS, min_size=1, max_size=2),
    mostly("---\n", "\n---\n", "--- # m\n", "---\n---\n"),
    mostly("\n", "", "\n\n", " \n", "\n---\n", "\r\n", "\n...\n"),
)
SPLICED = st.builds(
    lambda text, places, piece: (
        text[: min(places) % (len(text) + 1)] + piece + text[max(places) % (len(text) + 1) :]
    ),
    st.sampled_from([text for text in FILES if len(text) < 1_000]),
    st.tuples(st.integers(0, 1_000), st.integers(0, 1_000)),
    st.one_of(WORDS, BETWEEN, st.text(alphabet=string.printable + "é\u00a0\u2028", max_size=4)),
)


@given(TEXTS)
@example("a: [{b: c}]\n")
@example("a:  # b\n  - {}\n  - c:\n      - d\n")
@example("a:\n  - b: # c\n  - []\n\n  - [] # d\n")
@example("a:\n  - b: 1\n    # c\n    d: 2\n  # e\n  - f\n# g\n")
def test_a_text_that_passes_is_returned_as_it_is(text: str) -> None:
    passes(text)


@given(st.lists(st.sampled_from(["kind: x", "a:", "  b: c d", "  e:", "    f: [g]", "    h: 'i'", "---",
                                 "      j: k", "  l: [m, n]", "# o", "", " p: q", "r: s ", "t: ... u"]),
                min_size=1, max_size=8))  # fmt: skip
@example(["a:", "    f: [g]"])
@example(["a:", "  e:", "    f: [g]"])
def test_an_ordinary_document_passes_line_by_line_too(lines: list[str]) -> None:
    passes("\n".join([*lines, ""]))


@given(SPLICED)
def test_a_damaged_file_that_passes_is_returned_unchanged(text: str) -> None:
    passes(text)


@given(st.text(alphabet="a:-# \n\t\r[]{},'\"."))
def test_no_text_makes_it_raise(text: str) -> None:
    is_laid_out(text)


@pytest.mark.parametrize("line", ["a: [" + "x, " * 5, "'\"", "a" * 150 + ": x", " " * 99, "- " * 9])
def test_no_text_takes_long(line: str) -> None:
    import time

    def seconds(lines: int) -> float:
        text = line * lines + "\n"
        started = time.process_time()
        is_laid_out(text)
        return time.process_time() - started

    # Twenty times the text: a quadratic look would take four hundred times as long.
    assert (
        min(seconds(20_000) for _ in range(3)) <= 100 * min(seconds(1_000) for _ in range(5)) + 0.01
    )
