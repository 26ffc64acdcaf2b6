"""The device grant at correct and at faulty servers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.mail.deadline import Deadline
from reconciler.mail.device_endpoints import device_endpoint
from reconciler.mail.device_grant import DeviceCode, ask, begin
from reconciler.mail.faults import MailFault, ProtocolViolation, TokenFault
from reconciler.mail.grants import Issued, Request
from reconciler.mail.happy_eyeballs import Winners
from reconciler.mail.https import Https
from reconciler.secrets.base import Secret
from tests.unit.mail.conftest import ISSUER, refusal, token
from tests.unit.mail.test_oauth import DELEGATED, ENDPOINT

if TYPE_CHECKING:
    from tests.unit.mail.conftest import Issuer

DEVICES = f"https://{ISSUER}/tenant/oauth2/v2.0/devicecode"
REQUEST = Request(DELEGATED, ENDPOINT, ISSUER, "ada@x.example", lambda _: Secret("never"))
CODE = DeviceCode("ABCD-EFGH", "https://login.example/device", 900, 5, Secret("the-device-code"))
SCOPES = ("imap", "smtp")


def https(issuer: Issuer) -> Https:
    return Https(Deadline(10), issuer.connect_to, (issuer.ca_file,), Winners())


def answer(**fields: Any) -> tuple[int, str]:
    known = {
        "device_code": "the-device-code",
        "user_code": "ABCD-EFGH",
        "verification_uri": "https://login.example/device",
        "expires_in": 900,
        "interval": 5,
    }
    return 200, json.dumps({**known, **fields})


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        (
            "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token",
            "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/devicecode",
        ),
        ("https://oauth2.googleapis.com/token", "https://oauth2.googleapis.com/device/code"),
        ("https://user@login.example/t/oauth2/v2.0/token", None),
        ("https://login.example/token", None),
        (None, None),
    ],
)
def test_where_codes_are_issued(endpoint: str | None, expected: str | None) -> None:
    assert device_endpoint(endpoint) == expected


def test_a_code_is_asked_for_with_all_scopes(issuer: Issuer) -> None:
    issuer.answer = lambda _: answer()
    assert begin(REQUEST, DEVICES, SCOPES, https(issuer)) == CODE
    assert issuer.requests == [{"client_id": "app", "scope": "imap smtp"}]


@pytest.mark.parametrize(
    ("fields", "seconds", "interval"),
    [
        ({"expires_in": None, "interval": None}, 3600, 5),
        ({"expires_in": 10**9, "interval": 0}, 3600, 1),
        ({"expires_in": "60", "interval": "7"}, 60, 7),
        ({"expires_in": -1, "interval": "x"}, 3600, 5),
        ({"expires_in": [], "interval": 10**9}, 3600, 60),
    ],
)
def test_a_server_does_not_decide_how_long_we_wait(
    issuer: Issuer, fields: dict[str, Any], seconds: int, interval: int
) -> None:
    issuer.answer = lambda _: answer(**fields)
    code = begin(REQUEST, DEVICES, SCOPES, https(issuer))
    assert (code.seconds, code.interval) == (seconds, interval)


@pytest.mark.parametrize(
    "fields",
    [
        {"verification_uri": "http://login.example/device"},
        {"verification_uri": "javascript:alert(1)"},
        {"verification_uri": "https://login.example/\x1b[2J"},
        {"verification_uri": "https://login.example@evil.example/"},
        {"verification_uri": ""},
        {"user_code": "::set-output x"},
        {"user_code": "A" * 400},
        {"user_code": None},
        {"device_code": 7},
        {"device_code": None},
    ],
)
def test_nothing_is_shown_but_a_code_and_a_page(issuer: Issuer, fields: dict[str, Any]) -> None:
    issuer.answer = lambda _: answer(**fields)
    with pytest.raises(ProtocolViolation):
        begin(REQUEST, DEVICES, SCOPES, https(issuer))


@pytest.mark.parametrize("text", ["", "[]", "null", "<html>", '"code"'])
def test_an_invalid_answer_is_a_fault(issuer: Issuer, text: str) -> None:
    issuer.answer = lambda _: (200, text)
    with pytest.raises(MailFault):
        begin(REQUEST, DEVICES, SCOPES, https(issuer))
    with pytest.raises(MailFault):
        ask(REQUEST, CODE, https(issuer))


def test_a_refusal_keeps_its_code(issuer: Issuer) -> None:
    issuer.answer = lambda _: refusal("invalid_scope", "AADSTS70011: no such scope")
    for question in (
        lambda: begin(REQUEST, DEVICES, SCOPES, https(issuer)),
        lambda: ask(REQUEST, CODE, https(issuer)),
    ):
        with pytest.raises(TokenFault) as refused:
            question()
        assert refused.value.error == "invalid_scope"
        assert "the-device-code" not in repr(refused.value)


@pytest.mark.parametrize(
    ("status", "error", "slower"),
    [(400, "authorization_pending", 0), (428, "authorization_pending", 0), (403, "slow_down", 5),
     (429, "", 5)],
)  # fmt: skip
def test_waiting_goes_on_and_slower_if_asked_to(
    issuer: Issuer, status: int, error: str, slower: int
) -> None:
    issuer.answer = lambda _: (status, json.dumps({"error": error}))
    assert ask(REQUEST, CODE, https(issuer)) == slower


def test_a_granted_token_is_issued(issuer: Issuer) -> None:
    issuer.answer = lambda _: token(refresh_token="rt-first", expires_in=3600)
    assert ask(REQUEST, CODE, https(issuer)) == Issued("at-1", 3600, "rt-first")
    (form,) = issuer.requests
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:device_code"
    assert (form["device_code"], form["client_id"]) == ("the-device-code", "app")
