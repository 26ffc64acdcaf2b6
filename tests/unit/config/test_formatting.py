"""The layout of files: only white space changes, and a second time nothing does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.config.compose import compose
from reconciler.config.formatting import Formatted, Left, formatted

LAID_OUT = {
    "blanks": ("kind:   Group\nname:    x\n", "kind: Group\nname: x\n"),
    "depth": (
        "imap:\n      server: x\n      port:   993\n",
        "imap:\n  server: x\n  port: 993\n",
    ),
    "lists": ("labels:\n- a\n-   b\n", "labels:\n  - a\n  - b\n"),
    "mappings in lists": (
        "x:\n-   name: a\n    value: b\n",
        "x:\n  - name: a\n    value: b\n",
    ),
    "braces": ("users: { users: [ a,b ] }\n", "users: {users: [a, b]}\n"),
    "references between braces": ("imap: { password:  env:A }\n", "imap: {password: env:A}\n"),
    "lines of a list that is short": ("a: [b,\n    c]\n", "a: [b, c]\n"),
    "line ends and the end": ("a: 1\r\nb: 2\r\n\r\n\n", "a: 1\nb: 2\n"),
    "no end": ("a: 1", "a: 1\n"),
    "blank lines at the top": ("\n\na: 1\n", "a: 1\n"),
    "blank lines within": ("a: 1\n\n\nb: 2\n", "a: 1\n\n\nb: 2\n"),
    "documents": ("---\na:  1\n---   # two\nb:  2\n", "---\na: 1\n--- # two\nb: 2\n"),
    "blanks at line ends": ("a: 1   \n# x  \nb: 2\n", "a: 1\n# x\nb: 2\n"),
    "comments in line": (
        "a:\n     # of b\n     b: 1\n     # of c\n     c: 2\n# of d\nd: 3\n# the end\n",
        "a:\n  # of b\n  b: 1\n  # of c\n  c: 2\n# of d\nd: 3\n# the end\n",
    ),
    "comments after the last field": (
        "a:\n    b: 1\n    # c: 2\nd: 3\n",
        "a:\n  b: 1\n  # c: 2\nd: 3\n",
    ),
    "comments within items": (
        "a:\n- b: 1\n  # of c\n  c: 2\n# of the next\n- b: 3\n",
        "a:\n  - b: 1\n    # of c\n    c: 2\n  # of the next\n  - b: 3\n",
    ),
    "a comment about the field after a list": (
        "labels:\n- a\n- b\n# how mail is sent\nsmtp:\n  server: b\n",
        "labels:\n  - a\n  - b\n# how mail is sent\nsmtp:\n  server: b\n",
    ),
    "a comment about the next list": (
        "members:\n  users:\n  - a\n\n  # about groups\n  groups:\n  - b\n",
        "members:\n  users:\n    - a\n\n  # about groups\n  groups:\n    - b\n",
    ),
    "a comment that goes on under the one beside a line": (
        "users:\n- root    # the owner\n          # until May\n          # or June\n- ada\n",
        "users:\n  - root  # the owner\n          # until May\n          # or June\n  - ada\n",
    ),
    "comments beside": ("a:  1 # one\nb:  2   # two\n", "a: 1  # one\nb: 2    # two\n"),
    "quotes and words": (
        "a:  'x'\nb:  \"y\"\nc:  yes\nd:  ~\ne:\nf:  0o17\ng:  True\nh:  2026-1-1\n",
        "a: 'x'\nb: \"y\"\nc: yes\nd: ~\ne:\nf: 0o17\ng: True\nh: 2026-1-1\n",
    ),
    "text blocks": (
        "a: |\n      one\n        # no comment\n\n      two\nb:  1\n",
        "a: |\n  one\n    # no comment\n\n  two\nb: 1\n",
    ),
    "aliases": ("a: &x   {b: 1}\nc:   *x\n", "a: &x {b: 1}\nc: *x\n"),
    "a directive": ("%YAML 1.2\n---\na:   1\n", "%YAML 1.2\n---\na: 1\n"),
    "nothing": ("", ""),
    "comments alone": ("# a\n\n# b\n\n\n", "# a\n\n# b\n"),
}


@pytest.mark.parametrize("name", LAID_OUT)
def test_the_layout(name: str) -> None:
    before, after = LAID_OUT[name]
    assert formatted(before) == Formatted(after)
    assert formatted(after) == Formatted(after)


def test_a_long_list_is_wrapped_but_a_long_text_is_not() -> None:
    names = ", ".join(f"somebody-{number}@contoso.example" for number in range(8))
    text = f"users: [{names}]\nnote: {'long ' * 60}end\n"
    new = formatted(text).text
    assert new.count("\n") == 3
    assert max(len(line) for line in new.splitlines() if not line.startswith("note")) < 150
    assert f"note: {'long ' * 60}end\n" in new
    assert formatted(new).text == new


LEFT = {
    "an escape that would be written otherwise": ('a: 1\nb:   "caf\\u00e9"\n', 2),
    "a document beside its marker": ("---   {a:   1}\n", 1),
    "a name that stands twice": ("a:   1\na:   2\n", 1),
    "a comment within a list": ("a: [b,   # why\n  c]\n", 1),
    "a comma at the end of a list": ("---\na: 1\nb: [c,   d,]\n", 3),
    "a text that ends with blank lines": ("a: |+\n  x\n\n\n", 2),
    "a text that ends with no line's end": ("a: |\n  x", 2),
    "a tag that does not fit": ("password:   !!bool hunter2\n", 1),
    "a tag that makes no number": ("a:   !!int 0x\n", 1),
    "no YAML": ("a: [\n", 1),
}


@pytest.mark.parametrize("name", LEFT)
def test_a_document_that_cannot_be_formatted_losslessly_is_unchanged(name: str) -> None:
    text, line = LEFT[name]
    found = formatted(text)
    assert found.text == text
    assert [item.line for item in found.left] == [line]


def test_the_other_documents_of_the_file_are_still_formatted() -> None:
    text = 'a:  1\n---\nb:   "\\u00e9"\n---\nc:   3\n'
    found = formatted(text)
    assert found.text == 'a: 1\n---\nb:   "\\u00e9"\n---\nc: 3\n'
    assert found.left == (Left(3, "more than white space would change"),)


PIECES = st.sampled_from([
    "a: 1\n", "b:   x\n", "c:\n", "  d: 1\n", "    e: 2\n", "     f: 3\n", "- g\n", "-   h: 1\n",
    "  - i\n", "# j\n", "  # k\n", "    # l\n", "m: [n,  o]\n", "p: { q: env:R }\n", "\n", "  \n",
    "s: |\n    t\n\n      # u\n", "v: >\n  w\n  x\n", "y: 'z'   # beside\n", "---\n", "--- # k\n",
    '"aa":   "b\\nc"\n', "dd: &ee f\n", "gg: *ee\n", "hh: long text   with blanks\n", "...\n", "ii:\tjj\n",
    "kk: |+\n  ll\n\n", "mm: >+\n  nn\n\n\n", "oo: !!bool pp\n", "qq: !!int 0x\n", "rr:  |-\n   ss\n",
])  # fmt: skip


@given(st.lists(PIECES, max_size=14).map("".join), st.integers(0, 2))
def test_only_white_space_changes_and_the_second_time_nothing(text: str, cut: int) -> None:
    text = text[: len(text) - cut]
    new = formatted(text).text
    assert "".join(new.split()) == "".join(text.split())
    assert formatted(new).text == new
    before, after = compose(text, "a"), compose(new, "a")
    assert [item.value for item in after.documents] == [item.value for item in before.documents]
    assert [item.rule for item in after.diagnostics] == [item.rule for item in before.diagnostics]


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\r\t")))
def test_no_text_makes_it_raise(text: str) -> None:
    formatted(text)
