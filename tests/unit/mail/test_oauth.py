from __future__ import annotations

import base64
import json
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import load_pem_x509_certificate

from reconciler.errors import SecretError
from reconciler.mail.deadline import Deadline
from reconciler.mail.faults import ExtraMissing, KeyUnusable, TimedOut, TokenFault, TokenUnreachable
from reconciler.mail.oauth import AuthlibTokens
from reconciler.model.connector import Grant, OAuth2
from reconciler.model.secret_ref import SecretRef
from reconciler.secrets.base import Secret
from tests.unit.mail.conftest import ISSUER, refusal, token

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.mail.conftest import Issuer

ENDPOINT = f"https://{ISSUER}/tenant/oauth2/v2.0/token"
CLIENT_SECRET = "s3cret~value"


class Secrets:
    """Resolves references by their target."""

    def __init__(self, **values: str) -> None:
        self._values = {"CLIENT_SECRET": CLIENT_SECRET, "REFRESH": "rt-0", **values}

    def resolve(self, reference: SecretRef) -> Secret:
        return Secret(self._values[reference.target])


def env(name: str) -> SecretRef:
    return SecretRef("env", name)


CLIENT = OAuth2(
    grant=Grant.CLIENT_CREDENTIALS,
    client_id="app",
    token_endpoint=ENDPOINT,
    scopes=("https://outlook.office365.com/.default",),
    client_secret=env("CLIENT_SECRET"),
)
DELEGATED = OAuth2(
    grant=Grant.REFRESH_TOKEN,
    client_id="app",
    token_endpoint=ENDPOINT,
    scopes=("imap", "offline_access"),
    refresh_token=env("REFRESH"),
)
SERVICE = OAuth2(
    grant=Grant.JWT_BEARER,
    token_endpoint=ENDPOINT,
    scopes=("https://mail.google.com/",),
    service_account_key=env("KEY"),
)


def tokens(
    issuer: Issuer, clock: Callable[[], float] = time.monotonic, **values: str
) -> AuthlibTokens:
    return AuthlibTokens(
        Secrets(**values), connect_to=issuer.connect_to, ca_file=issuer.ca_file, clock=clock
    )


def claims(jwt: str, part: int = 1) -> dict[str, Any]:
    text = jwt.split(".")[part]
    decoded: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return decoded


def test_a_client_asks_for_a_token_with_its_secret(issuer: Issuer) -> None:
    assert tokens(issuer).token(CLIENT, "me@x", Deadline(10)).reveal() == "at-1"
    assert issuer.requests == [
        {
            "grant_type": "client_credentials",
            "scope": "https://outlook.office365.com/.default",
            "client_id": "app",
            "client_secret": CLIENT_SECRET,
        }
    ]
    assert "Authorization" not in issuer.headers[0]


def test_a_client_may_prove_itself_with_a_certificate(issuer: Issuer) -> None:
    made = trustme.CA().issue_cert("app.example")
    pem = made.private_key_and_cert_chain_pem.bytes().decode()
    oauth2 = OAuth2(
        grant=Grant.CLIENT_CREDENTIALS,
        client_id="app",
        token_endpoint=ENDPOINT,
        certificate=env("PEM"),
    )
    # trustme makes keys on elliptic curves; Microsoft takes RSA only.
    with pytest.raises(KeyUnusable, match="env:PEM does not hold a certificate and its RSA key"):
        tokens(issuer, PEM=pem).token(oauth2, "me@x", Deadline(10))
    pem = rsa_pem()
    tokens(issuer, PEM=pem).token(oauth2, "me@x", Deadline(10))
    (form,) = issuer.requests
    assert form["client_assertion_type"].endswith("jwt-bearer")
    assert "client_secret" not in form
    assertion = claims(form["client_assertion"])
    assert (assertion["iss"], assertion["sub"], assertion["aud"]) == ("app", "app", ENDPOINT)
    header = claims(form["client_assertion"], 0)
    digest = load_pem_x509_certificate(pem.encode()).fingerprint(SHA256())
    assert base64.urlsafe_b64decode(header["x5t#S256"] + "=") == digest


def rsa_pem() -> str:
    return (
        trustme.CA(key_type=trustme.KeyType.RSA)
        .issue_cert("app.example", key_type=trustme.KeyType.RSA)
        .private_key_and_cert_chain_pem.bytes()
        .decode()
    )


def test_a_refresh_token_that_was_replaced_is_not_used_again(issuer: Issuer) -> None:
    answers = iter([token(expires_in=0, refresh_token="rt-1"), token(access_token="at-2")])
    issuer.answer = lambda _: next(answers)
    source = tokens(issuer)
    assert source.token(DELEGATED, "me@x", Deadline(10)).reveal() == "at-1"
    assert source.token(DELEGATED, "me@x", Deadline(10)).reveal() == "at-2"
    assert [form["refresh_token"] for form in issuer.requests] == ["rt-0", "rt-1"]
    assert issuer.requests[0]["scope"] == "imap offline_access"
    assert issuer.requests[0]["client_id"] == "app"


def test_a_service_account_signs_for_the_mailbox(issuer: Issuer) -> None:
    key = rsa_pem().split("-----BEGIN CERTIFICATE")[0]
    account = {"client_email": "robot@project", "private_key": key, "private_key_id": "k1"}
    source = tokens(issuer, KEY=json.dumps(account))
    source.token(SERVICE, "info@x", Deadline(10))
    source.token(SERVICE, "info@x", Deadline(10))
    source.token(SERVICE, "sales@x", Deadline(10))
    assertions = [claims(form["assertion"]) for form in issuer.requests]
    assert [item["sub"] for item in assertions] == ["info@x", "sales@x"]
    assert assertions[0]["iss"] == "robot@project"
    assert assertions[0]["aud"] == ENDPOINT
    assert assertions[0]["scope"] == "https://mail.google.com/"
    assert claims(issuer.requests[0]["assertion"], 0)["kid"] == "k1"


def test_a_token_is_fetched_once_for_many_threads_and_mailboxes(issuer: Issuer) -> None:
    source = tokens(issuer)
    got: list[str] = []
    threads = [
        threading.Thread(
            target=lambda name=f"u{number}@x": got.append(
                source.token(CLIENT, name, Deadline(10)).reveal()
            )
        )
        for number in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == ["at-1"] * 16
    assert len(issuer.requests) == 1


@pytest.mark.parametrize(
    ("lifetime", "kept", "renewed"), [(600, 539, 541), (100, 49, 51), (60, 29, 31), (0, 0, 0)]
)
def test_a_token_is_renewed_a_minute_before_it_ends_or_at_half_time(
    issuer: Issuer, lifetime: int, kept: int, renewed: int
) -> None:
    issuer.answer = lambda _: token(expires_in=lifetime)
    now = [1000.0]
    source = tokens(issuer, clock=lambda: now[0])
    asked = []
    for seconds in (0, kept, renewed):
        now[0] = 1000.0 + seconds
        source.token(CLIENT, "me@x", Deadline(10))
        asked.append(len(issuer.requests))
    assert asked == ([1, 1, 2] if lifetime else [1, 2, 3])


def test_a_refusal_is_reported_in_the_servers_words_and_cached(issuer: Issuer) -> None:
    issuer.answer = lambda _: refusal("invalid_client", "AADSTS7000215: Invalid client secret.")
    source = tokens(issuer)
    for _ in range(3):
        with pytest.raises(TokenFault) as refused:
            source.token(CLIENT, "me@x", Deadline(10))
        assert refused.value.error == "invalid_client"
        assert "AADSTS7000215" in refused.value.description
        assert refused.value.host == ISSUER
        assert CLIENT_SECRET not in str(refused.value)
        assert refused.value.__cause__ is None
    assert len(issuer.requests) == 1


class Rotated:
    """Resolves references to what is current."""

    def __init__(self, **values: str) -> None:
        self.values = values

    def resolve(self, reference: SecretRef) -> Secret:
        try:
            return Secret(self.values[reference.target])
        except KeyError:
            raise SecretError(f"the secret {reference} is not set") from None


def test_a_refusal_counts_no_longer_once_the_secret_is_another_one(issuer: Issuer) -> None:
    resolver = Rotated(CLIENT_SECRET="wrong")
    source = AuthlibTokens(resolver, connect_to=issuer.connect_to, ca_file=issuer.ca_file)
    issuer.answer = lambda form: (
        token() if form["client_secret"] == "right" else refusal("invalid_client")
    )
    for _ in range(2):
        with pytest.raises(TokenFault):
            source.token(CLIENT, "me@x", Deadline(10))
    resolver.values["CLIENT_SECRET"] = "right"
    assert source.token(CLIENT, "me@x", Deadline(10)).reveal() == "at-1"
    assert [form["client_secret"] for form in issuer.requests] == ["wrong", "right"]


def test_a_missing_secret_is_not_a_refusal(issuer: Issuer) -> None:
    resolver = Rotated()
    source = AuthlibTokens(resolver, connect_to=issuer.connect_to, ca_file=issuer.ca_file)
    with pytest.raises(SecretError, match="env:CLIENT_SECRET is not set"):
        source.token(CLIENT, "me@x", Deadline(10))
    resolver.values["CLIENT_SECRET"] = "right"
    assert source.token(CLIENT, "me@x", Deadline(10)).reveal() == "at-1"


def test_a_revoked_refresh_token_is_replaced_by_the_one_in_the_reference(
    issuer: Issuer,
) -> None:
    now = [1000.0]
    resolver = Rotated(REFRESH="rt-0")
    source = AuthlibTokens(
        resolver, connect_to=issuer.connect_to, ca_file=issuer.ca_file, clock=lambda: now[0]
    )
    good = {"rt-0", "rt-1"}
    issuer.answer = lambda form: (
        token(expires_in=100, refresh_token="rt-1")
        if form["refresh_token"] in good
        else refusal("invalid_grant", f"AADSTS50173: {form['refresh_token']} was revoked")
    )
    source.token(DELEGATED, "me@x", Deadline(10))
    good.clear()
    now[0] += 200
    with pytest.raises(TokenFault) as refused:
        source.token(DELEGATED, "me@x", Deadline(10))
    assert refused.value.error == "invalid_grant"
    resolver.values["REFRESH"] = "new"
    good.add("new")
    source.token(DELEGATED, "me@x", Deadline(10))
    sent = [form["refresh_token"] for form in issuer.requests]
    assert sent == ["rt-0", "rt-1", "rt-0", "new"]


def test_a_refresh_token_that_is_replaced_where_it_is_named_is_used(issuer: Issuer) -> None:
    now = [1000.0]
    resolver = Rotated(REFRESH="rt-0")
    source = AuthlibTokens(
        resolver, connect_to=issuer.connect_to, ca_file=issuer.ca_file, clock=lambda: now[0]
    )
    issuer.answer = lambda _: token(expires_in=100, refresh_token="rt-1")
    source.token(DELEGATED, "me@x", Deadline(10))
    resolver.values["REFRESH"] = "new"
    now[0] += 200
    source.token(DELEGATED, "me@x", Deadline(10))
    assert [form["refresh_token"] for form in issuer.requests] == ["rt-0", "new"]


def test_an_endpoint_that_quotes_a_refresh_token_that_it_issued_is_not_quoted(
    issuer: Issuer,
) -> None:
    now = [1000.0]
    source = tokens(issuer, lambda: now[0])
    secret = "1.a-refresh-token-of-the-server"
    issuer.answer = lambda _: token(expires_in=100, refresh_token=secret)
    source.token(DELEGATED, "me@x", Deadline(10))
    issuer.answer = lambda form: refusal("invalid_scope", f"no such: {form['refresh_token']}")
    now[0] += 200
    for _ in range(2):
        with pytest.raises(TokenFault) as refused:
            source.token(DELEGATED, "me@x", Deadline(10))
        assert refused.value.error == "invalid_scope"
        assert "refresh" not in refused.value.description


def test_an_endpoint_is_spared_whichever_mailbox_a_service_account_acts_for(
    issuer: Issuer,
) -> None:
    now = [1000.0]
    key = rsa_pem().split("-----BEGIN CERTIFICATE")[0]
    account = json.dumps({"client_email": "robot@project", "private_key": key})
    for answer, asked in (
        ((503, "{}"), 1),
        (refusal("unauthorized_client"), 1),
        (refusal("invalid_grant"), 5),
    ):
        issuer.answer = lambda _, answer=answer: answer  # type: ignore[misc]
        issuer.requests.clear()
        source = tokens(issuer, lambda: now[0], KEY=account)
        for number in range(5):
            with pytest.raises(TokenFault):
                source.token(SERVICE, f"user-{number}@x", Deadline(10))
        assert len(issuer.requests) == asked


UNAVAILABLE = refusal("temporarily_unavailable")


@pytest.mark.parametrize(
    ("answer", "temporary"),
    [
        (refusal("invalid_client"), False),
        (UNAVAILABLE, True),
        (refusal("server_error"), True),
        ((503, "<html>"), True),
        ((429, ""), True),
        ((429, '{"error": "too_many_requests"}'), True),
        ((500, '{"access_token": "none of ours"}'), True),
    ],
)
def test_the_endpoint_is_asked_again_only_some_time_after_it_rejected(
    issuer: Issuer, answer: tuple[int, str], *, temporary: bool
) -> None:
    issuer.answer = lambda _: answer
    now = [1000.0]
    source = tokens(issuer, lambda: now[0])
    pause = 0.4 if temporary else 300.0
    for at, asked in ((0.0, 1), (pause / 2, 1), (pause + 0.1, 2)):
        now[0] = 1000.0 + at
        with pytest.raises(TokenFault) as refused:
            source.token(CLIENT, "me@x", Deadline(10))
        assert refused.value.temporary is temporary
        assert len(issuer.requests) == asked
    issuer.answer = lambda _: token()
    now[0] += pause + 0.1
    assert source.token(CLIENT, "me@x", Deadline(10)).reveal() == "at-1"


@pytest.mark.parametrize(
    "answer",
    [
        (200, "{}"),
        (200, '{"access_token": ""}'),
        (200, '{"access_token": 7}'),
        (200, "[]"),
        token(expires_in="soon"),
        (200, "<html>"),
        (502, "<html>bad gateway</html>"),
        (307, ""),
        (400, "no JSON"),
    ],
)
def test_an_answer_without_a_token_is_a_fault(issuer: Issuer, answer: tuple[int, str]) -> None:
    issuer.answer = lambda _: answer
    with pytest.raises(TokenFault):
        tokens(issuer).token(CLIENT, "me@x", Deadline(10))
    assert len(issuer.requests) == 1


def test_an_endpoint_that_is_down_is_unreachable_and_asked_again(issuer: Issuer) -> None:
    nowhere = AuthlibTokens(Secrets(), connect_to=None, ca_file=issuer.ca_file)
    down = OAuth2(
        grant=Grant.CLIENT_CREDENTIALS,
        client_id="app",
        token_endpoint="https://127.0.0.1:1/token",
        client_secret=env("CLIENT_SECRET"),
    )
    for _ in range(2):
        with pytest.raises(TokenUnreachable):
            nowhere.token(down, "me@x", Deadline(5))


def test_an_endpoint_with_a_bad_certificate_is_sent_nothing(issuer: Issuer) -> None:
    strict = AuthlibTokens(Secrets(), connect_to=issuer.connect_to)
    with pytest.raises(TokenFault, match="certificate verify failed"):
        strict.token(CLIENT, "me@x", Deadline(5))
    assert issuer.requests == []


@pytest.mark.parametrize("endpoint", ["http://login.example/", "https:///token", None])
def test_a_secret_goes_to_https_only(issuer: Issuer, endpoint: str | None) -> None:
    oauth2 = OAuth2(
        grant=Grant.CLIENT_CREDENTIALS,
        client_id="app",
        token_endpoint=endpoint,
        client_secret=env("CLIENT_SECRET"),
    )
    with pytest.raises(TokenFault):
        tokens(issuer).token(oauth2, "me@x", Deadline(5))
    assert issuer.requests == []


@pytest.mark.parametrize("key", ["", "no JSON", "{}", '{"client_email": "x", "private_key": "y"}'])
def test_an_invalid_key_is_named_by_its_reference_and_not_repeated(
    issuer: Issuer, key: str
) -> None:
    with pytest.raises(KeyUnusable) as refused:
        tokens(issuer, KEY=key).token(SERVICE, "me@x", Deadline(5))
    assert str(refused.value) == "env:KEY does not hold the key of a service account in JSON"
    assert refused.value.__cause__ is None
    assert issuer.requests == []


def test_waiting_for_another_threads_token_has_a_deadline_too(issuer: Issuer) -> None:
    asked, ended = threading.Event(), threading.Event()

    def slow(_: dict[str, str]) -> tuple[int, str]:
        asked.set()
        ended.wait(10)
        return token()

    issuer.answer = slow
    source = tokens(issuer)
    first = threading.Thread(target=source.token, args=(CLIENT, "me@x", Deadline(10)))
    first.start()
    assert asked.wait(10)
    with pytest.raises(TimedOut):
        source.token(CLIENT, "you@x", Deadline(0.1))
    ended.set()
    first.join()


def test_without_the_extra_the_fault_says_which_it_is(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "reconciler.mail.grants", raising=False)
    monkeypatch.setitem(sys.modules, "authlib", None)
    monkeypatch.setitem(sys.modules, "authlib.oauth2.base", None)
    with pytest.raises(ExtraMissing) as missing:
        tokens(issuer).token(CLIENT, "me@x", Deadline(5))
    assert (missing.value.package, missing.value.extra) == ("authlib", "oauth")
