"""What is changed line by line is what ruamel's round trip makes of it, to the last byte."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.config.formatting import formatted
from reconciler.config.plain_edit import plainly_edited
from reconciler.config.plain_yaml import plain_documents
from reconciler.config.written_edit import by_round_trip

if TYPE_CHECKING:
    from reconciler.model.resource import JSON

NAMES: Final = ("kind", "name", "imap", "smtp", "users", "groups", "x-y", "yes")
SCALARS: Final = (
    "abc", "a b c", "env:A_B", "${var.x}", "u@x.example", "5", "-7", "true", "false",
    "10.0.0.1", "1.5", "0x1F", "1e3", "017", "+1", "1_0", "TRUE", "Null", "null", "~", "yes", "No",
    "2026-01-01", "12:30:45", "- 5", "Straße", "郵便箱", "a #b", "a, b", "1 a", "<<", "=", "...", "x" * 150,
    '"abc"', '"yes"', '"${var.x}"', '"x: 1.5"', '"# a"', '"📬"', "'abc'", "'1.5'", "'say \"a\"'", '"it\'s"', '""',
)  # fmt: skip
VALUES: Final[tuple[JSON, ...]] = (
    "abc", "new text", "${var.x}", "env:${var.x}", "yes", "1.5", "", "x: y", "it's", '"q"', "a\nb", True, False,
    0, 1, 993, None, 1.5, [], ["a"], [1, True], [f"user-{number}@example.com" for number in range(8)],
    {}, {"a": "b"}, {"a": {"b": [1]}},
)  # fmt: skip

scalars = st.sampled_from(SCALARS[:9]) | st.sampled_from(SCALARS)
remarks = st.sampled_from(["", "", "", "", "", " # so", " # it: is"])
comments = st.sampled_from([(), (), (), (), (), ("# so",), ("  # so",), ("",), ("", "# so")])


def _in_brackets(items: list[str]) -> str:
    return f"[{', '.join(items)}]"


def _in_braces(fields: dict[str, str]) -> str:
    return f"{{{', '.join(f'{name}: {item}' for name, item in fields.items())}}}"


flows = st.recursive(
    st.lists(scalars, max_size=3).map(_in_brackets)
    | st.dictionaries(st.sampled_from(NAMES), scalars, max_size=2).map(_in_braces),
    lambda inner: st.dictionaries(st.sampled_from(NAMES), inner, max_size=2).map(_in_braces),
    max_leaves=3,
)


@st.composite
def mappings(draw: st.DrawFn, column: int = 0) -> list[str]:
    """The lines of a mapping in block style."""
    lines: list[str] = []
    for name in draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True)):
        blanks, remark = " " * column, draw(remarks)
        lines += [f"{blanks}{line}" if line else line for line in draw(comments)]
        shape = draw(st.sampled_from(["scalar", "scalar", "flow", "list", "mapping"]))
        if shape in ("scalar", "flow"):
            value = draw(scalars if shape == "scalar" else flows)
            lines.append(f"{blanks}{name}: {value}{remark}")
            continue
        lines.append(f"{blanks}{name}:{remark}")
        if shape == "list" or column > 2:
            items = draw(st.lists(scalars, min_size=1, max_size=3))
            lines += [f"{blanks}  - {item}" for item in items]
        else:
            lines += draw(mappings(column + 2))
    return lines


@st.composite
def changed(draw: st.DrawFn, value: dict[str, Any]) -> dict[str, Any]:
    """A value with a few fields changed, dropped and added."""
    found: dict[str, Any] = {}
    for name, item in value.items():
        fate = draw(st.sampled_from(["stays", "stays", "stays", "inside", "new", "goes"]))
        if fate == "inside" and isinstance(item, dict):
            found[name] = draw(changed(item))
        elif fate == "inside" and isinstance(item, bool):
            found[name] = int(item)
        elif fate == "new":
            found[name] = draw(st.sampled_from(VALUES))
        elif fate != "goes":
            found[name] = item
    for name in draw(st.lists(st.sampled_from(NAMES), max_size=2)):
        found.setdefault(name, draw(st.sampled_from(VALUES)))
    return found


@st.composite
def edits(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A text in the common form, laid out as `fmt` does it, and the value that it is to have."""
    lines = draw(st.sampled_from([(), (), ("---",), ("# Above",)]))
    text = "\n".join([*lines, *draw(mappings()), ""])
    text = formatted(text).text
    documents = plain_documents(text)
    if not documents or not isinstance(documents[0], dict):
        return "kind: x\n", draw(changed({"kind": "x"}))
    return text, draw(changed(documents[0]))


@given(edits())
def test_a_change_is_what_a_round_trip_makes(edit: tuple[str, dict[str, Any]]) -> None:
    found = plainly_edited(*edit)
    assert found is None or found == by_round_trip(*edit)


TEXT: Final = """\
# By hand.
kind: EmailConnector
name: x
imap:
  server: "mail.example"
  port: 993   # for now
users: {groups: [hr]}
labels: [hr]
"""
VALUE: Final[dict[str, Any]] = {
    "kind": "EmailConnector",
    "name": "x",
    "imap": {"server": "mail.example", "port": 993},
    "users": {"groups": ["hr"]},
    "labels": ["hr"],
}


def test_lines_that_stay_are_not_touched() -> None:
    value = VALUE | {"imap": {"server": "new.example", "port": 993}, "draft": True, "labels": []}
    text = TEXT.replace("mail.example", "new.example").replace("[hr]\n", "[]\ndraft: true\n")
    assert plainly_edited(TEXT, value) == by_round_trip(TEXT, value) == text


@pytest.mark.parametrize(
    "value",
    [
        VALUE | {"imap": {"server": "mail.example", "port": 143}},
        VALUE | {"users": {"groups": ["hr", "it"]}},
        VALUE | {"smtp": {"port": 465}},
        VALUE | {"kind": "Other"},
    ],
)
def test_what_depends_on_comments_and_braces_is_left_to_the_round_trip(
    value: dict[str, Any],
) -> None:
    assert plainly_edited(TEXT, value) is None


@pytest.mark.parametrize("scalar", ["0x1F", "1_0", "TRUE", "2026-01-01", "017", "null", "+1"])
def test_values_that_a_round_trip_writes_differently_are_left_to_it(scalar: str) -> None:
    assert plainly_edited(f"a: {scalar}\nb: x\n", {"a": "x", "b": "x"}) is None
    assert plainly_edited(f"a: [{scalar}]\nb: x\n", {"a": "x", "b": "x"}) is None
