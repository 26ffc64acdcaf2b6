"""Documents as JSON text: the same as if they were written as a whole."""

from __future__ import annotations

import json
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.resource import to_plain
from reconciler.render.json import json_lines, json_pieces, to_json


@dataclass(frozen=True, slots=True)
class Inner:
    text: str
    items: tuple[str, ...]
    other: int | None


@dataclass(frozen=True, slots=True)
class Outer:
    name: str
    inner: Inner | None
    many: tuple[Inner, ...]
    words: tuple[str, ...]
    table: dict[str, str | None]


TEXT = st.text(st.characters(codec="utf-8") | st.sampled_from('\n\r\t"\\\u2028{}[],: '))
INNER = st.builds(Inner, TEXT, st.lists(TEXT, max_size=3).map(tuple), st.none() | st.integers())
OUTER = st.builds(
    Outer,
    TEXT,
    st.none() | INNER,
    st.lists(INNER, max_size=3).map(tuple),
    st.lists(TEXT, max_size=3).map(tuple),
    st.dictionaries(TEXT, st.none() | TEXT, max_size=3),
)


@given(document=OUTER)
def test_a_document_written_in_parts_equals_the_whole(document: Outer) -> None:
    whole = to_plain(document, nulls=True)
    assert to_json(document) == json.dumps(whole, indent=2, ensure_ascii=False)


def test_values_that_are_not_documents_are_written_too() -> None:
    assert to_json({"a": (1, None)}) == '{\n  "a": [\n    1,\n    null\n  ]\n}'
    assert to_json(()) == "[]"


@dataclass(frozen=True, slots=True)
class Listing:
    format_version: str
    entries: tuple[Inner, ...]


@given(st.lists(st.builds(Inner), max_size=3).map(tuple))
def test_a_list_written_in_parts_equals_the_whole(
    entries: tuple[Inner, ...],
) -> None:
    pieces = json_pieces(Listing("1.0", ()), iter(entries))
    assert "".join(pieces) == to_json(Listing("1.0", entries)) + "\n"
    lines = list(json_lines(iter(entries)))
    assert [json.loads(line) for line in lines] == [to_plain(item, nulls=True) for item in entries]
    assert all(line.count("\n") == 1 and line.endswith("\n") for line in lines)
