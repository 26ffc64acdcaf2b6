"""What servers say to mail without a sign-in, in the words that are on record of them."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.connection.account import accounts
from reconciler.connection.context import FailureContext
from reconciler.connection.diagnosis import classify
from reconciler.connection.failure import ErrorClass, Stage
from reconciler.mail.faults import Declined, Reply
from reconciler.mail.redaction import Redactor
from reconciler.model.connector import SmtpSignIn
from tests.builders import connector, mail_server

DEMANDS = [
    ("530", "5.7.0", "Authentication required"),
    ("530", "5.7.1", "Authentication Required. For more information, go to"),
    ("530", "5.7.57", "Client not authenticated to send mail. Error: 535 5.7.3"),
    ("550", "5.7.57", "SMTP; Client was not authenticated to send anonymous mail during MAIL FROM"),
    ("503", "5.5.4", "Bad sequence: AUTH first"),
    ("503", "", "This mail server requires authentication when attempting to send to a non-local"),
    ("553", "5.7.1", "<a@x.example>: Sender address rejected: not logged in"),
    ("550", "", "You must log in first"),
    ("530", "", "Access denied"),
    ("550", "", "Please sign in to send mail"),
    ("535", "5.7.8", "Error: no credentials were given"),
]
RELAYS = [
    ("554", "5.7.1", "<a@x.example>: Relay access denied"),
    ("454", "4.7.1", "<a@x.example>: Relay access denied"),
    ("550", "5.7.54", "SMTP; Unable to relay recipient in non-accepted domain"),
    (
        "550",
        "5.7.64",
        "TenantAttribution; Relay Access Denied [ValidationStatus of '' is EmptyCertificate]",
    ),
    ("550", "5.7.1", "Invalid credentials for relay [192.0.2.7]. The IP address you've registered"),
    ("550", "", "relay not permitted"),
    ("550", "", "Relaying denied"),
]
OTHERS = [
    ("530", "5.7.0", "Must issue a STARTTLS command first", ErrorClass.TLS_MODE_MISMATCH),
    ("550", "5.7.26", "This mail is unauthenticated: SPF and DKIM did not pass", ErrorClass.SEND_AS_DENIED),
    ("550", "5.1.1", "User unknown", ErrorClass.SEND_AS_DENIED),
    ("552", "5.2.2", "Mailbox is full", ErrorClass.QUOTA),
]  # fmt: skip


def told(code: str, status: str, text: str, **smtp: Any) -> tuple[ErrorClass, str, str]:
    given = {"sign_in": SmtpSignIn.NONE, "username": None, "password": None, **smtp}
    sends = connector("printer", imap=None, smtp=mail_server("printer", "smtp", **given))
    (account,) = accounts(sends)
    where = FailureContext(account, Stage.ENVELOPE, Redactor())
    failure = classify(Declined("MAIL", Reply(code, status, f"{status} {text}")), where)
    return failure.error_class, failure.cause, failure.remedy


@pytest.mark.parametrize(("code", "status", "text"), [*DEMANDS, *RELAYS])
def test_a_demand_for_a_sign_in_has_its_own_error_class(code: str, status: str, text: str) -> None:
    error_class, cause, remedy = told(code, status, text)
    assert error_class is ErrorClass.AUTH_REQUIRED
    assert ("relay" in cause) is ("relay" in text.lower())
    assert "`sign_in: none`" in remedy


@pytest.mark.parametrize(("code", "status", "text", "error_class"), OTHERS)
def test_failures_that_a_sign_in_would_not_change_are_explained_as_before(
    code: str, status: str, text: str, error_class: ErrorClass
) -> None:
    assert told(code, status, text)[0] is error_class


def test_an_account_that_signs_in_gets_no_advice_to_do_so() -> None:
    smtp = mail_server("printer", "smtp")
    code, status, text = DEMANDS[6]
    error_class, _, remedy = told(
        code, status, text, sign_in=None, username=smtp.username, password=smtp.password
    )
    assert error_class is not ErrorClass.AUTH_REQUIRED
    assert "sign_in" not in remedy


def test_no_sentence_has_a_hole_where_the_user_would_be() -> None:
    _, cause, remedy = told("550", "5.1.7", "Invalid sender")
    assert "this machine" in cause
    assert "  " not in cause + remedy
