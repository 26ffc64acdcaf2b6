from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.mail.redaction import HIDDEN, LIMIT, Redactor
from reconciler.secrets.base import Secret


def knowing(*secrets: str) -> Redactor:
    redactor = Redactor()
    for secret in secrets:
        redactor.learn(Secret(secret))
    return redactor


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
    shown = Redactor().show("x" * 1000)
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
    redactor = knowing("xyz")
    assert redactor.show("it was xyz") == HIDDEN
    assert redactor.show("it was xy") == "it was xy"


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


KEY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7\nVJTUt9Us8cKjMzEfYyjiWA4R4"
PEM = (
    f"-----BEGIN PRIVATE KEY-----\n{KEY}\n-----END PRIVATE KEY-----\n"
    "-----BEGIN CERTIFICATE-----\nMIIDdzCCAl+gAwIBAgIEAgAAuTANBgkq\n-----END CERTIFICATE-----\n"
)
ACCOUNT = json.dumps({"type": "service_account", "client_email": "a@b.example", "private_key": PEM})


@pytest.mark.parametrize("secret", [PEM, ACCOUNT], ids=["pem", "json"])
def test_of_a_file_with_a_key_only_the_key_is_confidential(secret: str) -> None:
    redactor = knowing(secret)
    for said in ("the certificate expires in 7 days", "service_account a@b.example is disabled"):
        assert redactor.show(said) == said
    for said in (f"no such key: {KEY[:12]}", f"read {KEY[30:60]!r}", KEY):
        assert redactor.show(said) == HIDDEN


@pytest.mark.parametrize(
    "secret",
    [
        "-----BEGIN CERTIFICATE-----\nMIIDdzCCAl+gAwIBAgIEAgAAuTANBgkq\n-----END CERTIFICATE-----\n",
        "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQ",
        '{"private_key": 7, "password": "open sesame"}',
        "{not JSON at all",
        "[" * 100_000,
    ],
)
def test_what_only_looks_like_such_a_file_is_confidential_as_a_whole(secret: str) -> None:
    assert knowing(secret).show(f"you said {secret[:40]}") == HIDDEN
