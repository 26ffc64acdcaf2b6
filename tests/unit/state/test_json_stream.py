"""A JSON document is read a member and an element at a time, and every value is what `json.loads` says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.json_values import TooLarge
from reconciler.state import json_stream
from reconciler.state.json_stream import NotJson, NotUtf8, elements, members, value_at
from tests.whole_states import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@pytest.fixture(autouse=True, params=[1, 5, 1 << 17])
def chunk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read so many octets at once, so that a text is cut everywhere."""
    monkeypatch.setattr(json_stream, "_CHUNK", request.param)


def looked_at(source: Text) -> list[Any]:
    found: list[Any] = []
    members(source, found.append)
    return found


def again(source: Text) -> dict[str, Any]:
    """The document, from where its members were found."""
    return {
        name: [value for value, _ in elements(source, item.at)]
        if item.is_list
        else value_at(source, item.at)
        for name, item in (members(source, lambda _: None) or {}).items()
    }


@settings(max_examples=settings().max_examples // 2, deadline=None)
@given(st.dictionaries(st.text(max_size=4), values, max_size=5), st.sampled_from([None, 0, 3]))
def test_a_document_is_the_one_that_was_written(
    document: dict[str, Any], indent: int | None
) -> None:
    for ascii_alone in (True, False):
        text = json.dumps(document, indent=indent, ensure_ascii=ascii_alone)
        source = Text(text.encode("utf-8", "surrogatepass"))
        try:
            source.octets.decode()
        except UnicodeDecodeError:
            continue
        assert again(source) == document


def test_the_text_of_an_element_is_that_in_the_file() -> None:
    source = Text(b'{"a": [ 1.50 ,{"b" : "\xc3\xa9"}, -0, 1e5, "\\u00e9"]}')
    found = members(source, lambda _: None) or {}
    texts = [text for _, text in elements(source, found["a"].at)]
    assert texts == ["1.50", '{"b" : "é"}', "-0", "1e5", '"\\u00e9"']


def test_every_name_and_value_is_looked_at_and_the_last_of_a_name_counts() -> None:
    source = Text(b'{"a": [1, [2]], "b": {"c": 3}, "a": 4}')
    assert looked_at(source) == ["a", 1, [2], "b", {"c": 3}, "a", 4]
    assert again(source) == {"a": 4, "b": {"c": 3}}


@pytest.mark.parametrize("text", ["[]", "[1, {}]", "3", "null", '"x"', " true "])
def test_a_document_without_an_object_has_no_members(text: str) -> None:
    assert members(Text(text.encode()), lambda _: None) is None


def broken() -> Iterator[str]:
    whole = '{"a": [1, "x\\u00e9", {"b": null}], "c": -1.5e3}'
    yield from (whole[:length] for length in range(len(whole)))
    yield from (
        "{,}", '{"a"}', '{"a" 1}', '{"a":}', '{"a":1,}', '{"a":1 "b":2}', "{1:2}", '{"a":[1,]}', '{"a":[,1]}',
        '{"a":[1 2]}', '{"a":1}}', '{"a":1}{}', '{"a":1]', '{"a":"\n"}', '{"a":tru}', '{"a":01}', "[1", "\ufeff{}",
        '{"a":' + "[" * 100_000,
    )  # fmt: skip


def test_incomplete_json_is_rejected() -> None:
    for text in broken():
        with pytest.raises(NotJson):
            members(Text(text.encode()), lambda _: None)


@pytest.mark.parametrize(
    "octets", [b'{"a": "\xff"}', b'{"a": "\xc3"}', b'{"a": 1} \xc3', b'{"a: "" \xed\xa0\x80']
)
def test_the_first_octet_that_belongs_to_no_character_is_named(octets: bytes) -> None:
    with pytest.raises(UnicodeDecodeError) as expected:
        octets.decode()
    with pytest.raises(NotUtf8) as caught:
        members(Text(octets), lambda _: None)
    assert caught.value.offset == expected.value.start


def test_a_number_that_no_database_keeps_is_refused() -> None:
    with pytest.raises(TooLarge):
        members(Text(f'{{"a": [{2**63}]}}'.encode()), lambda _: None)
