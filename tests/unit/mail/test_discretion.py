from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.mail.discretion import HIDDEN, LIMIT, Discretion
from reconciler.secrets.base import Secret


def knowing(*secrets: str) -> Discretion:
    discretion = Discretion()
    for secret in secrets:
        discretion.learn(Secret(secret))
    return discretion


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("plain", "plain"),
        ("  two\r\n lines ", "two lines"),
        ("\x1b[31mred\x00\x07", "[31mred"),
        ("right\u202eleft", "right left"),
        ("", ""),
    ],
)
def test_a_text_becomes_one_printable_line(said: str, shown: str) -> None:
    assert knowing("correct horse").show(said) == shown


def test_a_long_text_is_cut() -> None:
    shown = Discretion().show("x" * 1000)
    assert len(shown) == LIMIT
    assert shown.endswith("…")


@pytest.mark.parametrize(
    "said",
    [
        "wrong: abcd efgh ijkl mnop",
        "wrong: abcdefghijklmnop",
        "wrong: ABCDEFGHIJKLMNOP",
        'wrong: "abcd\\ efgh ijkl mnop"',
        "wrong: abcd efgh",
        f"wrong: {base64.b64encode(b'abcd efgh ijkl mnop').decode()}",
        f"wrong: {b'abcd efgh ijkl mnop'.hex()}",
        "wrong: abcd%20efgh%20ijkl%20mnop",
        "ponm lkji hgfe dcba",
    ],
)
def test_a_text_that_repeats_a_secret_is_not_shown(said: str) -> None:
    assert knowing("abcd efgh ijkl mnop").show(said) == HIDDEN


def test_a_short_secret_is_looked_for_as_a_whole() -> None:
    discretion = knowing("xyz9")
    assert discretion.show("it was xyz9") == HIDDEN
    assert discretion.show("it was xyz") == "it was xyz"


@given(
    secret=st.text(st.characters(codec="ascii", categories=("L", "N", "P")), min_size=8),
    before=st.binary(max_size=9),
    after=st.binary(max_size=9),
)
def test_base64_is_recognised_wherever_the_secret_stands_in_it(
    secret: str, before: bytes, after: bytes
) -> None:
    encoded = base64.b64encode(before + secret.encode() + after).decode()
    assert knowing(secret).show(f"AUTH PLAIN {encoded}") == HIDDEN


def test_what_it_knows_is_not_in_its_repr() -> None:
    assert "hunter2" not in repr(knowing("hunter2"))
