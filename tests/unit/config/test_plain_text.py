"""What is written directly is what ruamel.yaml writes, to the last byte."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.config.plain_text import plain_text
from reconciler.config.yaml_text import any_text, yaml_text

if TYPE_CHECKING:
    from reconciler.model.resource import JSON

ODD: Final = (
    "", " ", " a", "a ", "a b", "a  b", "a\tb", "\ta", "a\n", "a\nb", "a\r\nb", "\x00", "\x7f", "\x80",
    "\x85", "a\x85b", "\xa0", "\u2028", "\u200b", "\ufeff", "\ufeffa", "\ud7ff", "\ue000", "\ufffd", "\ufffe",
    "\uffff", "\U00010000", "\U0010ffff", "yes", "No", "ON", "y", "n", "null", "Null", "nULL", "~", "true",
    "TRUE", "tRUE", "off", "123", "1_000", "0o17", "017", "0x1F", "1e3", "1.5", "-.inf", ".nan", "2026-11-25",
    "2026-11-25T06:00:00Z", "12:30:45", "a: b", "a #b", "# a", "- a", "? a", "[a]", "{a}", "a{b}", "${var.x}",
    "env:${var.x}_P", "&a", "*a", "!a", "|", ">", "%a", "@a", "`a`", "'a'", '"a"', "it's", "a\\b", "=", "<<",
    "---", "...", "a:", ":a", "a,b", "a, b", "a]", "Straße", "ª", "ⅷ", "a²", "\U0001d538x", "郵便箱", "📬", "e\u0301",
    "👨\u200d👩\u200d👧", "env:NAME", "x" * 200, ("word " * 40).strip(), "a" * 20_000,
)  # fmt: skip
NAMES: Final = ("a", "x-y", "k_1", "Yes", "no", "y", "null", "True", "a b", "1", "-", "é", "_x", "",
                "A" * 100, "B" * 101, "d" * 130)  # fmt: skip

texts = st.sampled_from(ODD) | st.text(max_size=30) | st.text("aZ0 _-./:@{}[],#'\"\\", max_size=12)
scalars = texts | st.booleans() | st.integers() | st.none() | st.floats()
names = st.sampled_from(NAMES[:7]) | st.sampled_from(NAMES)
values: st.SearchStrategy[JSON] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=12) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)


def agrees(documents: list[dict[str, JSON]]) -> bool:
    """Whether the text is ruamel's; true as well where ruamel has to write it."""
    text = plain_text(documents)
    return text is None or text == any_text(documents)


@given(st.lists(st.dictionaries(names, values, max_size=5), max_size=3))
def test_documents_are_written_as_ruamel_writes_them(documents: list[dict[str, JSON]]) -> None:
    assert agrees(documents)


@given(names, texts)
def test_a_text_is_written_as_ruamel_writes_it(name: str, text: str) -> None:
    assert agrees([{name: text, "list": [text, text], "below": {name: [text] * 40}}])


@pytest.mark.parametrize("text", ODD)
def test_odd_texts_are_written_as_ruamel_writes_them(text: str) -> None:
    assert agrees([{"text": text}, {"list": [text]}, {"long": [text] * 40}])


@pytest.mark.parametrize("name", NAMES)
def test_odd_names_are_written_as_ruamel_writes_them(name: str) -> None:
    assert agrees([{name: "x"}, {"below": {name: {}}}])


def test_what_a_configuration_consists_of_is_written_directly() -> None:
    document: dict[str, JSON] = {
        "kind": "EmailConnector",
        "display_name": "Straße 5: “Büro” 📬",
        "imap": {"server": "mail.example", "port": 993, "use_ssl": True, "password": "env:${var.x}_P"},
        "smtp": {},
        "labels": ["hr", "${var.x}"],
        "also_sends_as": [f"user-{number}@example.com" for number in range(9)],
        "scopes": [],
    }  # fmt: skip
    assert plain_text([document, document]) == any_text([document, document])


@pytest.mark.parametrize(
    "value", [None, 1.5, "a\nb", 'say "a"', "a" * 20_000, [["a"]], [{"a": "b"}]]
)
def test_ruamel_writes_every_other_text(value: JSON) -> None:
    assert plain_text([{"a": value}]) is None
    assert yaml_text([{"a": value}], "Whence.") == "# Whence.\n" + any_text([{"a": value}])
