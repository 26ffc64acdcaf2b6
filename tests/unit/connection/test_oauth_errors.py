"""The explanation if no access token is issued."""

from __future__ import annotations

import pytest

from reconciler.connection.account import accounts
from reconciler.connection.context import FailureContext
from reconciler.connection.diagnosis import classify
from reconciler.connection.entra_codes import ENTRA
from reconciler.connection.failure import ErrorClass, Failure, Stage
from reconciler.mail.faults import TOKEN_ERRORS, TokenFault
from reconciler.mail.redaction import Redactor
from tests.builders import connector

MICROSOFT, GOOGLE = "login.microsoftonline.com", "oauth2.googleapis.com"


def failure(error: str, description: str = "", host: str = MICROSOFT) -> Failure:
    account = accounts(connector("support"))[1]
    where = FailureContext(account, Stage.AUTHENTICATION, Redactor())
    return classify(TokenFault(host, "rejected", error=error, description=description), where)


@pytest.mark.parametrize(
    ("code", "error", "said"),
    [
        ("700024", "invalid_client", "clock"),
        ("7000218", "invalid_client", "`client_secret` or `certificate`"),
        ("7000229", "unauthorized_client", "service principal"),
        ("70043", "invalid_grant", "refresh token has expired by a policy"),
        ("50126", "invalid_grant", "password of the user is wrong"),
        ("50034", "invalid_grant", "no such user"),
        ("50079", "interaction_required", "register a second factor"),
        ("50020", "invalid_grant", "another tenant"),
        ("530003", "access_denied", "managed device"),
    ],
)
def test_codes_of_entra_have_a_cause_and_a_remedy(code: str, error: str, said: str) -> None:
    found = failure(error, f"AADSTS{code}: whatever it says. Trace ID: 0")
    assert found.error_class is ErrorClass.OAUTH_TOKEN
    assert said in f"{found.cause} {found.remedy}"
    assert f"AADSTS{code}" in found.reply
    assert "login.microsoftonline.com/error" not in found.remedy


@pytest.mark.parametrize(
    ("error", "description"),
    [
        ("server_error", ""),
        ("server_error", "AADSTS987654: something new"),
        ("temporarily_unavailable", "AADSTS90033: a transient error has occurred"),
        ("invalid_request", "AADSTS90024: passing"),
    ],
)
def test_a_passing_fault_is_not_the_tokens(error: str, description: str) -> None:
    assert failure(error, description).error_class is ErrorClass.REFUSED


@pytest.mark.parametrize(
    ("error", "error_class"),
    [
        ("invalid_grant", ErrorClass.OAUTH_TOKEN),
        ("invalid_scope", ErrorClass.OAUTH_SCOPE),
        ("never_heard_of", ErrorClass.OAUTH_TOKEN),
    ],
)
def test_an_unknown_code_is_named_with_its_page(error: str, error_class: ErrorClass) -> None:
    found = failure(error, "AADSTS987654: something new")
    assert found.error_class is error_class
    assert "AADSTS987654" in found.cause
    assert "https://login.microsoftonline.com/error?code=987654" in found.remedy


@pytest.mark.parametrize("error", sorted(TOKEN_ERRORS))
def test_no_failure_of_microsoft_speaks_of_googles_service_accounts(error: str) -> None:
    for description in ("", *(f"AADSTS{code}: x" for code in (*ENTRA, "1234"))):
        found = failure(error, description)
        said = f"{found.cause} {found.remedy}".lower()
        assert "google" not in said, description
        assert "service account" not in said, description
        assert "domain-wide" not in said, description


def test_google_speaks_of_its_service_accounts() -> None:
    assert "domain-wide delegation" in failure("unauthorized_client", host=GOOGLE).remedy
    assert "`subject`" in failure("invalid_grant", host=GOOGLE).remedy
