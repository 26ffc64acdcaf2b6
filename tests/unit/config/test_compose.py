"""YAML texts become documents with positions, or diagnostics."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml.error import YAMLError

from reconciler.config import compose as module
from reconciler.config import events
from reconciler.config.compose import MAX_DEPTH, MAX_PROBLEMS, compose
from reconciler.config.events import fast, reference
from reconciler.config.positions import Position
from reconciler.config.raw import MAX_FOR_REFERENCE, Composed, showable
from reconciler.config.scalars import resolve


def value(text: str) -> Any:
    composed = compose(text, "a.yaml")
    assert composed.diagnostics == ()
    (document,) = composed.documents
    return document.value


def rules(text: str) -> list[tuple[str, int, int]]:
    return [(item.rule, item.line, item.column) for item in compose(text, "a.yaml").diagnostics]


def test_values_are_plain() -> None:
    text = "a: 1\nb: [x, 'y', \"z\"]\nc: {d: true, e: no}\nf: |\n  g\n  h\ni: '5'\nj: !!str 5\n"
    assert value(text) == {
        "a": 1,
        "b": ["x", "y", "z"],
        "c": {"d": True, "e": "no"},
        "f": "g\nh\n",
        "i": "5",
        "j": "5",
    }


def test_a_file_holds_any_number_of_documents() -> None:
    composed = compose("a: 1\n---\n---\n# nothing\n---\nb: 2\n...\n", "a.yaml")
    assert [document.value for document in composed.documents] == [{"a": 1}, {"b": 2}]


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", "---\n", "---\n...\n"])
def test_a_file_may_hold_no_document(text: str) -> None:
    assert compose(text, "a.yaml") == Composed((), ())


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_every_value_knows_where_it_stands(newline: str) -> None:
    text = newline.join(["# x", "kind: A", "smtp:", "  port: 1", "  é: [x, y]", 'last: "z"', ""])
    positions = compose(text, "a.yaml").documents[0].positions
    assert positions.of(()) == Position(2, 1)
    assert positions.of(("kind",)) == Position(2, 7)
    assert positions.of(("smtp",)) == Position(3, 1)
    assert positions.of(("smtp", "port")) == Position(4, 9)
    assert positions.of_key(("smtp", "port")) == Position(4, 3)
    assert positions.of(("smtp", "é", 1)) == Position(5, 10)
    assert positions.of(("last",)) == Position(6, 7)


def test_a_missing_value_is_reported_at_the_closest_enclosing_one() -> None:
    positions = compose("a: 1\nsmtp:\n  port: 1\n", "a.yaml").documents[0].positions
    assert positions.of(("smtp", "server")) == Position(2, 1)
    assert positions.of(("imap", "server")) == Position(1, 1)


def test_a_value_that_is_left_empty_is_shown_at_its_key() -> None:
    positions = compose("a:\nb: [x]\nc: ~\n", "a.yaml").documents[0].positions
    assert positions.of(("a",)) == Position(1, 1)
    assert positions.of(("c",)) == Position(3, 4)


def test_an_alias_stands_for_an_equal_value() -> None:
    assert value("a: &x {b: 1}\nc: *x\nd: [*x]\n") == {
        "a": {"b": 1},
        "c": {"b": 1},
        "d": [{"b": 1}],
    }
    assert value("&k a: 1\nb: *k\n") == {"a": 1, "b": "a"}


def test_anchors_end_with_their_document() -> None:
    assert rules("a: &x 1\n---\nb: *x\n") == [("yaml/alias", 3, 4)]


@pytest.mark.parametrize("text", ["a: *x\n", "a: &x [*x]\n", "a: &x {b: *x}\n", "a: *x\nb: &x 1\n"])
def test_an_alias_for_nothing_is_refused(text: str) -> None:
    assert [rule for rule, _, _ in rules(text)] == ["yaml/alias"]


def test_an_anchor_may_be_redefined_but_not_within_itself() -> None:
    assert value("a: &x 1\nb: &x 2\nc: *x\n") == {"a": 1, "b": 2, "c": 2}
    assert rules("a: &x 1\nb: &x [*x]\n") == [("yaml/alias", 2, 8)]


def test_aliases_that_explode_are_stopped_early() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    started = time.process_time()
    assert [rule for rule, _, _ in rules("\n".join(lines))] == ["yaml/alias-expansion"]
    assert time.process_time() - started < 2


def test_many_small_aliases_are_stopped_too() -> None:
    text = "a: &x 1\nb: [" + "*x, " * 101 + "]\n"
    assert [rule for rule, _, _ in rules(text)] == ["yaml/alias-expansion"]
    assert len(value("a: &x 1\nb: [" + "*x, " * 100 + "]\n")["b"]) == 100


@pytest.mark.parametrize("opened", ["[", "{a: ", "- ", "? ", "[{a: "])
def test_deep_nesting_ends_in_a_diagnostic(opened: str) -> None:
    found = rules(opened * 10_000)
    assert [rule for rule, _, _ in found] == ["yaml/depth"]


def test_the_deepest_nesting_is_allowed() -> None:
    text = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert rules(text) == []
    assert rules(f"[{text}]") == [("yaml/depth", 1, MAX_DEPTH + 1)]


def test_both_places_of_a_duplicate_key_are_named() -> None:
    composed = compose("a: 1\nsmtp:\n  port: 1\n  port: 2\n", "a.yaml")
    (item,) = composed.diagnostics
    assert (item.rule, item.line, item.column) == ("yaml/duplicate-key", 4, 3)
    assert "`port`" in item.message
    assert "line 3, column 3" in item.message
    assert composed.documents[0].value == {"a": 1, "smtp": {"port": 1}}


def test_what_is_inside_a_duplicate_does_not_move_the_first() -> None:
    composed = compose("a: {b: 1}\na: {b: 2}\n", "a.yaml")
    assert composed.documents[0].positions.of(("a", "b")) == Position(1, 8)


def test_equal_keys_of_different_types_are_not_duplicates_but_not_text() -> None:
    assert rules("1: a\n'1': b\n") == [("yaml/key", 1, 1)]


@pytest.mark.parametrize(
    "text", ["1: a\n", "null: a\n", ": a\n", "true: a\n", "? [a]\n: b\n", "{a: 1}: b\n", "1.5: a\n"]
)
def test_a_key_that_is_not_text_is_rejected(text: str) -> None:
    composed = compose(text, "a.yaml")
    assert [item.rule for item in composed.diagnostics] == ["yaml/key"]
    assert not composed.documents[0].whole


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a: &a {b: 1}\nc:\n  <<: *a\n", {"b": 1}),
        ("a: &a {b: 1, d: 2}\nc:\n  <<: *a\n  b: 3\n", {"b": 3, "d": 2}),
        ("a: &a {b: 1, d: 2}\nc:\n  b: 3\n  <<: *a\n", {"b": 3, "d": 2}),
        ("a: &a {b: 1}\nd: &d {b: 2, e: 3}\nc:\n  <<: [*d, *a]\n", {"b": 2, "e": 3}),
        ("a: &a {b: 1}\nd: &d {<<: *a, e: 2}\nc: {<<: *d}\n", {"e": 2, "b": 1}),
        ("c:\n  <<: {b: 1}\n", {"b": 1}),
        ("c:\n  <<: []\n", {}),
    ],
)
def test_a_merge_key_takes_the_fields_that_a_mapping_lacks(text: str, wanted: object) -> None:
    found = value(text)
    assert isinstance(found, dict)
    assert found["c"] == wanted


def test_a_quoted_merge_key_is_text() -> None:
    assert value("'<<': 1\n") == {"<<": 1}
    assert value("a: <<\n") == {"a": "<<"}


def test_a_field_from_a_merge_key_is_where_it_is_written() -> None:
    text = "a: &a\n  b: 1\n  l: [x, {y: 2}]\nc:\n  <<: [*a, {z: 3}]\nd: {<<: {e: *a}}\n"
    positions = compose(text, "a.yaml").documents[0].positions
    assert positions.of(("c", "b")) == Position(2, 6)
    assert positions.of(("c", "l", 1, "y")) == Position(3, 14)
    assert positions.of(("c", "z")) == Position(5, 16)
    assert positions.of(("d", "e", "b")) == Position(2, 6)
    assert positions.of(("c", "missing")) == Position(4, 1)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("c:\n  <<: text\n", ("yaml/merge-key", 2, 3)),
        ("c:\n  <<:\n", ("yaml/merge-key", 2, 3)),
        ("a: &a [1]\nc:\n  <<: *a\n", ("yaml/merge-key", 3, 3)),
        ("c:\n  <<: [{}, x]\n", ("yaml/merge-key", 2, 12)),
        ("c:\n  <<: {a: 1}\n  <<: {b: 1}\n", ("yaml/duplicate-key", 3, 3)),
        ("c: &c\n  <<: *c\n", ("yaml/alias", 2, 7)),
        ("c:\n  <<: *c\n", ("yaml/alias", 2, 7)),
    ],
)
def test_a_merge_key_without_a_mapping_is_an_error(text: str, wanted: tuple[str, int, int]) -> None:
    assert rules(text) == [wanted]


def test_merge_keys_do_not_multiply() -> None:
    lines = ["a0: &a0 {" + ", ".join(f"k{n}: 1" for n in range(50)) + "}"]
    for n in range(1, 31):
        inner = ", ".join(f"x{n}x{m}: {{<<: *a{n - 1}}}" for m in range(9))
        lines.append(f"a{n}: &a{n} {{{inner}}}")
    composed = compose("\n".join(lines), "a.yaml")
    assert [item.rule for item in composed.diagnostics] == ["yaml/alias-expansion"]


@pytest.mark.parametrize(
    "text",
    [
        "a: !x 1",
        "a: !!binary aGk=",
        "a: !!timestamp 2026-01-01",
        "a: !!set {b, c}",
        "a: !!int x",
        "a: !!bool yes",
        "a: !!map [b]",
        "a: !!python/object:os.system x",
        "a: !<tag:example.com,2026:x> 1",
        "%TAG ! tag:example.com,2026:\n---\na: !x 1",
    ],
)
def test_a_tag_that_is_not_of_the_core_schema_is_refused(text: str) -> None:
    assert [rule for rule, _, _ in rules(text)] == ["yaml/tag"]


@pytest.mark.parametrize(
    "text",
    ["! x", "!!str x", "!!int 1", "!!float 1", "!!null ''", "!!bool true", "!!seq []", "!!map {}"],
)
def test_a_tag_of_the_core_schema_is_taken(text: str) -> None:
    assert rules(f"a: {text}\n") == []


def test_a_lone_surrogate_is_rejected() -> None:
    assert rules('a: "\\ud800"\n') == [("yaml/character", 1, 4)]
    assert value('a: "\\U0001F600"\n') == {"a": "😀"}


@pytest.mark.parametrize("text", ["a: .inf", "a: .nan", "a: 1e999", "a: " + "9" * 5000])
def test_a_number_out_of_range_is_rejected(text: str) -> None:
    assert rules(text) == [("yaml/number", 1, 4)]


@pytest.mark.parametrize(
    ("text", "rule", "line", "column"),
    [
        ("a:\n\t- b", "yaml/tab", 2, 1),
        ("\ta: b", "yaml/tab", 1, 1),
        ("a: |\n\tfoo", "yaml/tab", 2, 1),
        ("a: 'x\nb: 1\n", "yaml/syntax", 1, 4),
        ("a: [b,\nc: d\n", "yaml/syntax", 1, 4),
        ("a: {b\n", "yaml/syntax", 1, 4),
        ("a: b: c\n", "yaml/syntax", 1, 5),
        ('a: "\\q"\n', "yaml/syntax", 1, 6),
        ("a: @b\n", "yaml/syntax", 1, 4),
        ("a: %b\n", "yaml/syntax", 1, 4),
        ("- a\nb: 1\n", "yaml/syntax", 2, 1),
        ("a: }\n", "yaml/syntax", 1, 4),
        ("a: *\n", "yaml/syntax", 1, 5),
        ("%YAML 1.1\n---\na: 1\n", "yaml/version", 1, 1),
        ('a: "\\U99999999"\n', "yaml/syntax", 1, 2),
    ],
)
def test_invalid_yaml_is_reported_in_its_place(
    text: str, rule: str, line: int, column: int
) -> None:
    assert rules(text) == [(rule, line, column)]


def test_documents_before_a_fault_are_kept() -> None:
    composed = compose("a: 1\n---\nb: [\n", "a.yaml")
    assert [document.value for document in composed.documents] == [{"a": 1}]
    assert not composed.readable


def test_without_the_parser_in_c_everything_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a: &x {b: 1}\nc: [*x, 'd', no]\ne:\n"
    composed = compose(text, "a.yaml")
    monkeypatch.setattr(events, "CParser", None)
    assert compose(text, "a.yaml") == composed


def test_a_long_text_is_not_given_to_the_slow_parser() -> None:
    text = "- a\n" * 20_000 + "b: 'c"
    started = time.process_time()
    assert rules(text) == [("yaml/syntax", 20_001, 1)]
    assert rules("- a\n" * 20_000 + "- '") == [("yaml/syntax", 20_001, 3)]
    assert rules("- a\n" * 20_000 + "- @b") == [("yaml/syntax", 20_001, 3)]
    assert time.process_time() - started < 10


def test_a_file_full_of_problems_is_not_read_to_its_end() -> None:
    composed = compose("k: 1\n" * 10_000, "a.yaml")
    assert len(composed.diagnostics) == MAX_PROBLEMS
    assert not composed.readable


@pytest.mark.parametrize("key", ["password", "oauth2", "enable_b2b", "use_ssl", "hunter2"])
def test_words_in_lower_case_may_be_shown(key: str) -> None:
    assert showable(key, "x")


@pytest.mark.parametrize(
    ("key", "item"),
    [("hunter2", None), ("Hunter", 1), ("a" * 41, 1), ("a b", 1), ("a1b2c3", 1), ("", 1)],
)
def test_a_possible_password_is_not_shown(key: str, item: Any) -> None:
    assert not showable(key, item)


# What a configuration is made of; the differences that are known are listed where the parsers are.
_PIECES = st.sampled_from(
    [
        "a",
        "b:",
        "c: ",
        "- ",
        "\n",
        "\n  ",
        "\n    ",
        "'",
        '"',
        "[",
        "]",
        "{",
        "}",
        ", ",
        ": ",
        " # x",
        "1",
        "true",
        "~",
        "key: value\n",
        "x:\n  y: z\n",
        "- k: v\n  l: w\n",
        "\r\n",
        "é",
        "😀",
        "&a b",
        "*a ",
        "!!str ",
        "\n---\n",
        "'it''s'",
        '"\\n"',
        "? ",
        ": |\n  text\n",
        "env:A",
        "a@b.c",
        "\\",
    ]
)


@given(pieces=st.lists(_PIECES, max_size=12))
def test_both_parsers_agree_on_what_both_accept(pieces: list[str]) -> None:
    text = "".join(pieces) + "\n"
    try:
        quick = module._Composer("a.yaml").run(fast(text))
    except YAMLError:
        return
    slow = module._Composer("a.yaml").run(reference(text))
    if slow.readable and not any(name in text for name in ("*a:", "!!str &a")):
        assert quick == slow


@given(pieces=st.lists(st.one_of(_PIECES, st.just("\r")), max_size=30))
def test_cut_where_its_documents_begin_a_text_means_the_same(pieces: list[str]) -> None:
    text = "".join(pieces) + "\n"
    whole = module._compose(text, "a.yaml")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MAX_FOR_REFERENCE", 0)
        cut = module.compose(text, "a.yaml")
    if whole.readable and cut.readable:
        assert cut == whole
    assert not (whole.readable and not cut.readable)


def test_a_colon_between_braces_is_taken_in_a_long_file_of_many_documents() -> None:
    text = "---\nname: x\nimap: {password: env:A, port: 993}\n" * 3000
    assert len(text) > MAX_FOR_REFERENCE
    composed = compose(text, "a.yaml")
    assert composed.diagnostics == ()
    assert len(composed.documents) == 3000
    assert composed.documents[-1].positions.of(("imap", "password")).line == 9000


def test_a_colon_between_braces_in_one_long_document_gets_good_advice() -> None:
    composed = compose("- a\n" * 20_000 + "- {password: env:A}\n", "a.yaml")
    (found,) = composed.diagnostics
    assert (found.line, found.rule) == (20_001, "yaml/syntax")
    assert 'quotes, as in {password: "env:NAME"}' in found.hint


def test_a_line_that_resembles_a_document_start_is_not_one() -> None:
    filler = "---\nname: x\n" * 10_000
    composed = compose(filler + '---\na: "b\n---\u00a0c"\nd: "%\n%e"\n', "a.yaml")
    assert composed.diagnostics == ()
    assert composed.documents[-1].value == {"a": "b ---\u00a0c", "d": "% %e"}


def test_a_problem_in_a_long_file_is_reported_with_its_line_and_the_rest_is_limited() -> None:
    text = "---\na: 1\na: 2\n" * 10_000
    composed = compose(text, "a.yaml")
    assert [item.line for item in composed.diagnostics] == [3 * n for n in range(1, 101)]
    assert not composed.readable


@given(text=st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\r\t")))
def test_no_text_makes_it_raise(text: str) -> None:
    compose(text, "a.yaml")


@given(pieces=st.lists(st.one_of(_PIECES, st.characters(exclude_categories=["Cs"])), max_size=30))
def test_no_yaml_makes_it_raise(pieces: list[str]) -> None:
    compose("".join(pieces), "a.yaml")


@given(text=st.text("0123456789+-.eExXoOabcdefnaifNAIF_:", max_size=12))
def test_scalars_are_resolved_as_yaml_writes_them(text: str) -> None:
    composed = compose(f"a: {text}\n", "a.yaml")
    if (
        composed.readable
        and not composed.diagnostics
        and ": " not in text
        and not text.endswith(":")
    ):
        try:
            expected = resolve(text)
        except ValueError:
            return
        assert composed.documents[0].value == {"a": expected}
