"""What is read quickly is read as the parser for all of YAML reads it, and everything else is left to that."""

from __future__ import annotations

import string
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reconciler.config.compose import compose
from reconciler.config.plain_values import MAX_PLAIN_DEPTH
from reconciler.config.plain_yaml import ReadOnce, plain_documents, read_documents
from reconciler.config.raw import MAX_FOR_REFERENCE

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[3]
SHIPPED = [*sorted((ROOT / "connectors.d").glob("*.yaml"))]
EXAMPLES = [*sorted((ROOT / "tests" / "examples").rglob("*.y*ml"))]


def agrees(text: str) -> bool:
    """Whether the text is of the plain form; if so, it must mean what it means to the other parser."""
    values = plain_documents(text)
    if values is None:
        return False
    composed = compose(text, "a.yaml")
    assert composed.diagnostics == ()
    assert composed.readable
    assert all(document.whole for document in composed.documents)
    # By their text, in which 1, 1.0 and true differ, and the order of fields counts.
    assert repr(values) == repr([document.value for document in composed.documents])
    return True


def texts(paths: Sequence[Path]) -> list[str]:
    found = []
    for path in paths:
        data = path.read_bytes()
        try:
            found.append(data.decode())
        except UnicodeDecodeError:
            continue
    return found


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_the_shipped_configuration_is_read_quickly(path: Path) -> None:
    assert agrees(path.read_text(encoding="utf-8"))


def test_the_built_in_providers_are_read_quickly() -> None:
    for item in (files("reconciler") / "providers").iterdir():
        if item.name.endswith(".yaml"):
            assert agrees(item.read_text(encoding="utf-8")), item.name


def test_what_is_read_quickly_of_the_examples_has_the_same_values_and_positions() -> None:
    found = [text for text in texts(EXAMPLES) if agrees(text)]
    assert len(found) > len(EXAMPLES) / 2
    for text in found:
        assert read_documents(text, "a.yaml") == compose(text, "a.yaml")


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", []),
        ("# nothing\n", []),
        ("---\n---\na: 1\n---\n", [{"a": 1}]),
        ("a: 1\n---\nb: 2", [{"a": 1}, {"b": 2}]),
        ("a: 1\r\nb: x\r\n", [{"a": 1, "b": "x"}]),
        ("a:\nb:   # nothing\nc: ~\n", [{"a": None, "b": None, "c": None}]),
        ("a: true\nb: no\nc: 0x1F\nd: 1.5\ne: 2026-01-01", [
            {"a": True, "b": "no", "c": 31, "d": 1.5, "e": "2026-01-01"}]),
        ("a: 'x: #y'  # z\nb: \"'\"\nc: ''", [{"a": "x: #y", "b": "'", "c": ""}]),
        ("a: b c#d  # e\n", [{"a": "b c#d"}]),
        ("a: env:NAME\n", [{"a": "env:NAME"}]),
        ("a:\n- 1\n- 2\nb: 3\n", [{"a": [1, 2], "b": 3}]),
        ("a:\n  - b: 1\n    c: 2\n  -\n    b: 3\n  - d\n", [{"a": [{"b": 1, "c": 2}, {"b": 3}, "d"]}]),
        ("a:\n  - b:\n    - 1\n    c: 2\n", [{"a": [{"b": [1], "c": 2}]}]),
        ("a:\n    b:\n      c: 1\n    d: 2\n", [{"a": {"b": {"c": 1}, "d": 2}}]),
        ("a: []\nb: {}  # none\nc: [x, 'y', \"z\", 1]\n", [{"a": [], "b": {}, "c": ["x", "y", "z", 1]}]),
        ("a: {b: [c, d ], e: {f: env:G}}\n", [{"a": {"b": ["c", "d"], "e": {"f": "env:G"}}}]),
        ("a: {b: [c, d], e: [f@g.example, null]}\n", [{"a": {"b": ["c", "d"], "e": ["f@g.example", None]}}]),
        ("a: {b: [c]}  # d\ne:   f\ng: h  \n", [{"a": {"b": ["c"]}, "e": "f", "g": "h"}]),
        ("display_name: Générale \u2013 Überblick\n", [{"display_name": "Générale \u2013 Überblick"}]),
    ],
)  # fmt: skip
def test_the_plain_form(text: str, values: list[Any]) -> None:
    assert plain_documents(text) == values
    assert agrees(text)


@pytest.mark.parametrize(
    "text",
    [
        "- a\n",  # the root is no mapping
        "a\n",
        " a: 1\n",
        "a: 1\n...\n",
        "%YAML 1.2\n---\na: 1\n",
        "--- a: 1\n",
        "a: 1\na: 2\n",
        "a: {b: 1, b: 2}\n",
        "a: {b: [c], b: [d]}\n",
        "a: {null: [c]}\n",
        "null: word\n",
        "null: 1\n",
        "a: {true: 1}\n",
        "<<: {a: 1}\n",
        "a: 1\n b: 2\n",
        "a:\n  b: 1\n c: 2\n",
        "a: 1\n- b\n",
        "a: b\n  c\n",
        "a: b: c\n",
        "a: b:\n",
        "a: 'b\n  c'\n",
        "a: 'it''s'\n",
        'a: "b\\n"\n',
        'a: "b" c\n',
        "a: 'b'#c\n",
        "a: |\n  b\n",
        "a: &b c\n",
        "a: *b\n",
        "a: !!str b\n",
        "a: -1\n",
        "a: @b\n",
        "a: 9007199254740993\n",
        "a: .inf\n",
        "a:\n\tb: 1\n",
        "a: b\tc\n",
        "a: 1\rb: 2\n",
        "a: b\u00a0c\n",
        "a: b\u2028c\n",
        "a: b\u0085c\n",
        "? a\n: b\n",
        "'a': b\n",
        "a: [b\n  , c]\n",
        "a: [b, ]\n",
        "a: [b,c]\n",
        "a: [b: c]\n",
        "a: {b}\n",
        "a: {b: }\n",
        "a: {b:c}\n",
        "a: [b}\n",
        "a: [b] c\n",
        "a: [b]#c\n",
        "a: ['b' c]\n",
        "- - a\n",
    ],
)
def test_texts_that_are_left_to_the_full_parser(text: str) -> None:
    assert plain_documents(text) is None


def test_depth_is_limited() -> None:
    def nested(levels: int) -> str:
        return "".join(f"{' ' * level}a:\n" for level in range(levels))

    assert agrees(nested(MAX_PLAIN_DEPTH))
    assert not agrees(nested(MAX_PLAIN_DEPTH + 1))
    assert agrees("a: " + "[" * 8 + "]" * 8)
    assert not agrees("a: " + "[" * 9 + "]" * 9)
    assert not agrees("a: " + "[" * 50_000)
    assert not agrees("".join("- " for _ in range(50_000)))


def test_a_long_text_means_what_it_means_to_the_parser_for_long_texts() -> None:
    filler = "k: v  # and why\n---\n" * (MAX_FOR_REFERENCE // 20 + 1)
    assert agrees(filler + "a: env:B\nb: [c, d]\n")
    assert not agrees(filler + "a: {b: env:C}\n")


@pytest.mark.parametrize(
    "line", ["a: [" + "x, " * 5, "a: " + "'" * 5, "a" * 150 + ": x", " " * 99, "- " * 9]
)
def test_no_text_takes_long(line: str) -> None:
    import time

    def seconds(lines: int) -> float:
        text = line * lines
        started = time.process_time()
        plain_documents(text)
        return time.process_time() - started

    # Twenty times the text: a quadratic reader would take four hundred times as long.
    assert (
        min(seconds(20_000) for _ in range(3)) <= 100 * min(seconds(1_000) for _ in range(5)) + 0.01
    )


WORDS = st.sampled_from(
    ["a", "b", "kind", "null", "true", "1", "0o7", "1e3", ".5", "~", "env:X", "a b", "a: b", "x:y", "a#b", "a,b",
     "'z'", '"x y"', "''", '"*@c.example"', "a@b.example", "é x", "- x", "-", "---", "...", "# c", "x # c", "&a", "*a",
     "|", ">", "!!str 1", "[a, b]", "[a,b]", "[ a , b ]", "[]", "{}", "{a: b}", "{a: x:y}", "{a: [b, c], d: e}",
     "[{a: b}, c]", "[a:b]", "{ a: 'b' }", "5.", "1_0", "x]", "9007199254740993", "<<", ""]
)  # fmt: skip
KEYS = st.one_of(
    st.just(""), WORDS.map(lambda word: f"{word}: "), WORDS.map(lambda word: f"{word}:")
)
LINES = st.builds(
    lambda indent, dash, key, word, end: f"{' ' * indent}{dash}{key}{word}{end}",
    st.sampled_from([0, 0, 0, 1, 2, 2, 4]),
    st.sampled_from(["", "", "", "- ", "-  ", "- - "]),
    KEYS,
    WORDS,
    st.sampled_from(["", "", "", " ", " # d", "#d"]),
)
NEAR_YAML = st.lists(LINES, max_size=8).map("\n".join)
SPLICED = st.builds(
    lambda text, places, piece: (
        text[: min(places) % (len(text) + 1)] + piece + text[max(places) % (len(text) + 1) :]
    ),
    st.sampled_from([text for text in texts([*SHIPPED, *EXAMPLES]) if len(text) < 2_000]),
    st.tuples(st.integers(0, 2_000), st.integers(0, 2_000)),
    st.one_of(WORDS, st.text(alphabet=string.printable + "é\u00a0\u2028\U0001f600", max_size=4)),
)


@given(NEAR_YAML)
@example("a:\n- b:\n  - c\n  d: e")
def test_near_yaml_is_read_alike_or_left_alone(text: str) -> None:
    agrees(text)


@given(SPLICED)
def test_a_damaged_file_is_read_alike_or_left_alone(text: str) -> None:
    agrees(text)


@given(
    st.lists(NEAR_YAML, max_size=4),
    st.sampled_from(["\n---\n", "\r\n---\r\n", "\n---\n---\n", "\n--- \n"]),
)
@example(["", "", "a: b"], "\n---\n")
@example(["a: b", "a: b", "# c"], "\n---\n")
@example(["a: é", "a: \u2028", "a: b"], "\n---\n")
def test_documents_that_are_read_one_by_one_mean_what_they_mean_together(
    documents: list[str], between: str
) -> None:
    text, read_as = between.join(documents), ReadOnce()
    for document in documents[1:]:
        read_as.plain(f"---\n{document}\n")
    assert repr(read_as.plain(text)) == repr(plain_documents(text))
    assert read_as.plain(text) is read_as.plain(str(text))


def test_a_long_text_is_read_as_a_whole() -> None:
    filler = "k: v\n---\n" * (MAX_FOR_REFERENCE // 9 + 1)
    for last in ("a: env:B\n", "a: {b: env:C}\n"):
        assert ReadOnce().plain(filler + last) == plain_documents(filler + last)


def test_a_document_that_recurs_is_one_value() -> None:
    read_as = ReadOnce()
    (one, same), (again, other) = (
        read_as("a: b\n---\nc: d\n", "").documents,
        read_as("a: b\n---\ne: f\n", "").documents,
    )
    assert one.value is again.value
    assert same.value != other.value
