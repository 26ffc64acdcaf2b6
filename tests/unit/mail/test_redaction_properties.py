"""No text that repeats a secret is shown, in whatever encoding that can be recognised."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from reconciler.mail.redaction import HIDDEN, LIMIT, Redactor
from reconciler.secrets.base import Secret
from tests.echoes import COVERED

SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=24) | (
    st.text(st.characters(codec="utf-8", categories=("L", "N", "P")), min_size=8, max_size=16)
)
AROUND = st.sampled_from(["", "wrong: ", "(", '"', "5.7.8 ", "cannot parse "])


def knowing(*secrets: str) -> Redactor:
    redactor = Redactor()
    for secret in secrets:
        redactor.learn(Secret(secret))
    return redactor


@pytest.mark.parametrize("name", COVERED)
@given(secret=SECRETS, before=AROUND, after=AROUND)
def test_a_text_that_repeats_a_secret_is_hidden(
    name: str, secret: str, before: str, after: str
) -> None:
    payload = COVERED[name](secret)
    assume(len(before) + len(payload) <= LIMIT)
    assert knowing(secret).show(f"{before}{payload}{after}") == HIDDEN


@given(secret=SECRETS, size=st.integers(5, 24))
def test_five_characters_in_a_row_are_enough(secret: str, size: int) -> None:
    assert knowing(secret).show(f"no user {secret[:size]}") == HIDDEN


@pytest.mark.parametrize("length", [8, 15, 30])
def test_the_first_half_is_enough(length: int) -> None:
    secret = "q7Rk2vWz9mXp4LtB8nYc5GhJ3sDf6A"[:length]
    assert knowing(secret).show(f"wrong: {secret[: (length + 1) // 2]}") == HIDDEN


@given(secret=SECRETS, noise=st.text(max_size=400))
def test_what_is_shown_is_one_short_printable_line(secret: str, noise: str) -> None:
    shown = knowing(secret).show(noise)
    assert len(shown) <= max(LIMIT, len(HIDDEN))
    assert shown.isprintable() or not shown


ORDINARY = (
    "550 5.1.1 <nobody@contoso.example>: Recipient address rejected: User unknown in virtual mailbox table",
    "552 5.2.2 The email account that you tried to reach is over quota and inactive.",
    "554 5.7.1 Service unavailable; Client host [203.0.113.7] blocked using zen.spamhaus.org",
    "421 4.7.0 mx.google.com closing connection. 1a2b3c4d5e6f-98765abc1def234.56 - gsmtp",
    "250 2.0.0 Ok: queued as 4YkQ7d0Vb1z9rXm",
    "NO [NONEXISTENT] Mailbox doesn't exist: Entwürfe (0.001 + 0.000 secs).",
    "451 4.3.2 Temporary server error. Please try again later ATTR5 [AM6EUR05FT042.eop-eur05.prod]",
    "DigiCert Global G2 TLS RSA SHA256 2020 CA1",
)


@pytest.mark.parametrize("said", ORDINARY)
@pytest.mark.parametrize(
    "secret",
    ["Tr0ub4dor&3-zq9", "hunter2!", "wkzq rvbn tjxd ghlm", "eyJ0eXAiOiJKV1QiLCJub25jZSI6" * 40],
)
def test_an_ordinary_answer_is_shown(said: str, secret: str) -> None:
    assert knowing(secret).show(said) == said


def test_public_text_hides_nothing() -> None:
    redactor = knowing("support2024!")
    redactor.allow("support@contoso.example")
    said = "550 5.1.1 <support@contoso.example> unknown"
    assert redactor.show(said) == said
    assert redactor.show("wrong: support2024!") == HIDDEN
    assert redactor.show("wrong: support2") == HIDDEN


def test_a_secret_that_is_public_anyway_is_hidden_all_the_same() -> None:
    redactor = knowing("support@contoso.example")
    redactor.allow("support@contoso.example")
    assert redactor.show("no such user: support@contoso.example") == HIDDEN


def test_a_secret_spread_over_a_list_hides_the_list() -> None:
    redactor = knowing("hunter2-zq9")
    assert set(redactor.show_all(["hun", "ter", "2-z", "q9"])) == {HIDDEN}
    assert redactor.show_all(["INBOX", "Sent"]) == ("INBOX", "Sent")


def test_eight_characters_in_a_row_of_a_long_secret_are_enough() -> None:
    token = "".join(f"{number:x}q" for number in range(300))
    assert knowing(token).show(f"bad token {token[40:48]}") == HIDDEN
