"""Only codes and known words of the answer to a sign-in are shown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.connection.account import accounts
from reconciler.connection.context import FailureContext
from reconciler.connection.diagnosis import classify
from reconciler.connection.failure import Stage
from reconciler.connection.reply_rules import RULES
from reconciler.connection.sign_in_words import STATUSES, known_word
from reconciler.mail.faults import (
    TOKEN_ERRORS,
    Declined,
    Disconnected,
    ProtocolViolation,
    Reply,
    TokenFault,
)
from reconciler.mail.redaction import HIDDEN, Redactor
from reconciler.secrets.base import Secret
from tests.builders import connector
from tests.echoes import COVERED, NOT_COVERED, pieces

if TYPE_CHECKING:
    from reconciler.connection.reply_rule import Rule

EVERY_ENCODING = {**COVERED, **NOT_COVERED}
SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=6, max_size=24) | (
    st.text(st.characters(codec="utf-8", categories=("L", "N", "P")), min_size=6, max_size=16)
)


def where(
    *secrets: str, stage: Stage = Stage.AUTHENTICATION, server_text: bool = False
) -> FailureContext:
    redactor = Redactor()
    for secret in secrets:
        redactor.learn(Secret(secret))
    account = accounts(connector("support"))[1]
    return FailureContext(account, stage, redactor, server_text)


def rejected(text: str, code: str = "535", status: str = "5.7.8", challenge: str = "") -> Declined:
    return Declined("AUTH", Reply(code, status, text), challenge)


def reply(error: Exception, *secrets: str) -> str:
    return classify(error, where(*secrets)).reply


@pytest.mark.parametrize(
    "said",
    [
        "5.7.8 Username and Password not accepted. For more information, visit",
        "5.7.139 Authentication unsuccessful, the user credentials were incorrect.",
        "5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.",
        "5.7.139 Authentication unsuccessful, basic authentication is disabled.",
        "5.7.9 Application-specific password required.",
        "5.7.14 Please log in via your web browser and then try again.",
        "5.7.3 Authentication unsuccessful",
        "5.7.8 Error: authentication failed: authentication failure",
        "5.7.0 Must issue a STARTTLS command first.",
        "4.7.0 Too many login attempts, please try again later.",
        "Incorrect authentication data",
        "[AUTHENTICATIONFAILED] Invalid credentials (Failure)",
        "[AUTHENTICATIONFAILED] Authentication failed.",
        "[ALERT] Application-specific password required",
        "[WEBALERT] Web login required.",
        "[UNAVAILABLE] Temporary authentication failure.",
        "LOGIN failed.",
        "User is authenticated but not connected.",
    ],
)  # fmt: skip
def test_answers_of_known_servers_are_shown_unchanged(said: str) -> None:
    assert reply(rejected(said), "Tr0ub4dor&3-zq9") == f"535 {said}"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("no user hunter2", "no user …"),
        ("5.7.8 [FR3P281CA0123 2026-11-27T08:15:00Z 08DE]", "5.7.8 …"),
        ("[HUNTER2] failed", "… failed"),
        ("pAsSwOrD wRoNg", "password wrong"),
        ("is it no", "…"),
        ("a user", "… user"),
        ("", ""),
        ("\x1b[31mred", "…"),
    ],
)
def test_everything_else_is_left_out(said: str, shown: str) -> None:
    assert reply(rejected(said)) == f"535 {shown}".strip()


def test_known_words_that_make_up_a_secret_are_hidden() -> None:
    said = "5.7.8 wrong: the user was not found"
    assert reply(rejected(said), "the user was not found") == "535 5.7.8 wrong: …"


def errors_with(echo: str) -> tuple[Exception, ...]:
    """Every kind of error at a sign-in, with what a server echoes in each place that is its own."""
    said = f"5.7.8 wrong: {echo}"
    return (
        rejected(said),
        Disconnected(silent=False, reply=Reply("BYE", echo[:9], said)),
        ProtocolViolation("The server's answer is not SMTP.", said),
        rejected("5.7.8", challenge=f'{{"status": "{echo}", "scope": "{echo}"}}'),
        rejected("5.7.8", challenge=echo),
        TokenFault("login.example", "rejected", error=echo, description=said),
        TokenFault("login.example", "rejected", error="invalid_client", description=said),
    )


def decides(echo: str) -> bool:
    """Whether a secret holds words by which an answer is understood, so that these choose the cause."""
    return echo in TOKEN_ERRORS | STATUSES or any(
        (rule.text and re.search(rule.text, echo, re.IGNORECASE))
        or (rule.status and re.fullmatch(rule.status, echo[:9]))
        for rule in RULES
    )


@pytest.mark.parametrize("name", EVERY_ENCODING)
@given(secret=SECRETS)
def test_nothing_of_an_echoed_secret_is_shown_in_any_encoding(name: str, secret: str) -> None:
    echo = EVERY_ENCODING[name](secret)
    for error, control in zip(errors_with(echo), errors_with("…"), strict=True):
        failure = classify(error, where(secret, server_text=True))
        ours = classify(control, where(secret))
        assert not (pieces(echo) & pieces(failure.reply)) - pieces(ours.reply)
        assert decides(echo) or (failure.cause, failure.remedy) == (ours.cause, ours.remedy)
        assert failure.server_text not in repr(failure)


def test_the_status_and_a_known_scope_of_a_rejected_token_are_shown() -> None:
    challenge = '{"status":"400","schemes":"bearer","scope":"https://mail.google.com/"}'
    failure = classify(rejected("5.7.8 no", "535", "5.7.8", challenge), where("hunter2-hunter2"))
    assert failure.reply == "535 5.7.8 no (status 400) https://mail.google.com/"
    assert failure.remedy.endswith("The server names the scope https://mail.google.com/.")


def test_an_unknown_scope_is_not_named() -> None:
    challenge = '{"status":"400","scope":"hunter2-hunter2"}'
    failure = classify(rejected("5.7.8 Invalid token", challenge=challenge), where("another"))
    assert "hunter2" not in failure.cause + failure.remedy + failure.reply


def test_the_code_of_entra_and_its_words_are_shown() -> None:
    description = "AADSTS7000215: Invalid client secret provided. Trace ID: 7f3e-0001"
    error = TokenFault("login.example", "", error="invalid_client", description=description)
    assert reply(error) == "invalid_client: AADSTS7000215: Invalid client secret provided. … ID: …"


def test_other_answers_are_shown_as_they_are() -> None:
    said = rejected("5.1.1 <eve@contoso.example> hunter unknown", "550", "5.1.1")
    context = where("Tr0ub4dor&3-zq9", stage=Stage.ENVELOPE)
    assert classify(said, context).reply == "550 5.1.1 <eve@contoso.example> hunter unknown"


def test_the_text_is_kept_only_if_it_is_asked_for() -> None:
    said = rejected("5.7.8 wrong zebra")
    assert classify(said, where("hunter2-zq9")).server_text == ""
    failure = classify(said, where("hunter2-zq9", server_text=True))
    assert failure.server_text == "535 5.7.8 wrong zebra"
    assert failure.reply == "535 5.7.8 wrong …"
    assert "zebra" not in repr(failure)


def test_the_text_is_hidden_if_it_repeats_a_secret_even_then() -> None:
    failure = classify(rejected("5.7.8 wrong hunter2-zq9"), where("hunter2-zq9", server_text=True))
    assert failure.server_text == HIDDEN


@pytest.mark.parametrize(
    "rule",
    [item for item in RULES if item.text and "AUTH" in (item.command or "AUTH")],
    ids=lambda item: item.text,
)
def test_words_that_a_rule_looks_for_are_known(rule: Rule) -> None:
    """A reply is best understood by the words that decided what it means."""
    alternatives = re.split(r"\|", re.sub(r"\([^)]*\)\??|\.\?|\\w\*|\[ -\]| \?", " ", rule.text))
    readable = [
        words
        for words in (re.findall(r"[A-Za-z]{4,}", item) for item in alternatives)
        if words and all(known_word(word) for word in words)
    ]
    assert readable, rule.text
