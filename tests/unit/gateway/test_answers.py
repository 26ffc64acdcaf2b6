"""The answer to a client: try again, or give up, in the provider's words if it has any."""

from __future__ import annotations

import pytest

from reconciler.errors import (
    AccountBusy,
    DeliveryUncertain,
    NotAuthorised,
    RouteRefused,
    SecretError,
    SendFailed,
    StateUnavailable,
    UsageError,
)
from reconciler.gateway.answers import FAULT, of_failure, of_recipient, one_line
from reconciler.model.sending import SendingResult
from reconciler.sending.outcome import RefusedRecipient, SomeRefused


@pytest.mark.parametrize(
    ("error", "reply", "result"),
    [
        (NotAuthorised("no"), "550 5.7.1 no", SendingResult.REFUSED),
        (RouteRefused("no"), "550 5.7.1 no", SendingResult.REFUSED),
        (UsageError("no mail"), "550 5.6.0 no mail", SendingResult.REFUSED),
        (
            SendFailed("full", temporary=True, code="452", status="4.2.2"),
            "452 4.2.2 full",
            SendingResult.TEMPORARY,
        ),
        (SendFailed("away", temporary=True), "451 4.3.0 away", SendingResult.TEMPORARY),
        (
            SendFailed("closing", temporary=True, code="421", status="4.3.2"),
            "451 4.3.2 closing",  # 421 would close the client's connection
            SendingResult.TEMPORARY,
        ),
        (
            SendFailed("unknown", temporary=False, code="550", status="5.1.1"),
            "550 5.1.1 unknown",
            SendingResult.REFUSED,
        ),
        (SendFailed("no", temporary=False), "550 5.0.0 no", SendingResult.REFUSED),
        (
            SendFailed("wrong password", temporary=False, code="535", status="5.7.8"),
            "451 4.3.0 wrong password",  # the connector's fault, not the mail's
            SendingResult.TEMPORARY,
        ),
        (
            SendFailed("the certificate has expired", temporary=False, before_mail=True),
            "451 4.3.0 the certificate has expired",
            SendingResult.TEMPORARY,
        ),
        (
            SendFailed("mixed", temporary=False, code="450", status="4.2.1"),
            "550 5.0.0 mixed",
            SendingResult.REFUSED,
        ),
        (
            DeliveryUncertain("reset", temporary=False),
            "451 4.4.2 It may have been delivered: reset",
            SendingResult.UNCERTAIN,
        ),
        (
            SecretError("the secret env:X is not set"),
            "451 4.3.5 The gateway cannot read a secret of the connector",
            SendingResult.TEMPORARY,
        ),
        (
            StateUnavailable("postgresql://user@host"),
            "451 4.3.5 The gateway cannot read the state",
            SendingResult.TEMPORARY,
        ),
        (RuntimeError("internals"), f"451 4.3.0 {FAULT}", SendingResult.TEMPORARY),
    ],
)
def test_each_failure_has_its_reply(error: Exception, reply: str, result: SendingResult) -> None:
    found = of_failure(error)
    assert str(found) == reply
    assert found.result is result


def test_an_account_at_its_limit_is_temporary() -> None:
    busy = AccountBusy("support sends as much as it may", temporary=True, status="4.4.5")
    assert str(of_failure(busy)).startswith("451 4.4.5 support sends")


def test_a_reply_is_one_line_of_ascii_that_fits() -> None:
    assert one_line("a\r\n250 forged\tü\x00") == "a 250 forged \\xfc?"
    assert len(one_line("x" * 1000)) == 400


@pytest.mark.parametrize(
    ("code", "status", "said", "reply"),
    [
        ("550", "5.1.1", "5.1.1 no such user", "550 5.1.1 no such user"),
        ("552", "", "mailbox is full", "552 5.1.0 mailbox is full"),
        ("530", "5.7.1", "5.7.1 not here", "550 5.7.1 not here"),
        ("452", "4.5.3", "4.5.3 too many", "452 4.5.3 too many"),
        ("421", "4.7.0", "4.7.0 slow\r\ndown", "450 4.7.0 slow down"),
    ],
)
def test_a_recipient_is_refused_in_the_words_of_the_provider(
    code: str, status: str, said: str, reply: str
) -> None:
    assert of_recipient(RefusedRecipient("a@b.example", code, status, said)) == reply


@pytest.mark.parametrize(("status", "told"), [("5.1.1", "4.1.1"), ("", "4.3.0")])
def test_a_mail_that_some_are_refused_for_is_to_be_sent_again(status: str, told: str) -> None:
    gone = RefusedRecipient("gone@b.example", "550", status, "no such user")
    reply = of_failure(SomeRefused("mail.b.example", (gone,)))
    assert str(reply) == (
        f"451 {told} nothing was sent, because mail.b.example refuses some of the recipients:"
        " gone@b.example: 550 no such user"
    )
    assert reply.result is SendingResult.TEMPORARY
