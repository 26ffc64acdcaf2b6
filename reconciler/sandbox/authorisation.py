"""The token endpoints of the sandbox: which clients get a token, and how others are refused.

RFC 6749 sections 4.4, 5 and 6, and RFC 7523. Refusals use the words of Microsoft Entra and Google,
which people search for.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Final, assert_never

from msgspec import Struct

from reconciler.model.connector import Grant
from reconciler.sandbox.accounts import username_key
from reconciler.sandbox.answer import Answer
from reconciler.sandbox.devices import DEVICE_CODE, Devices, device_path
from reconciler.sandbox.tokens import LIFETIME, made_up_token
from reconciler.secrets.base import Secret
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from reconciler.sandbox.accounts import RegisteredClient
    from reconciler.sandbox.tokens import Tokens

    Form = Mapping[str, str]
    _Question = tuple[Callable[[RegisteredClient], bool], "_Refusal"]

_GRANTS: Final = {
    "client_credentials": Grant.CLIENT_CREDENTIALS,
    "refresh_token": Grant.REFRESH_TOKEN,
    "urn:ietf:params:oauth:grant-type:jwt-bearer": Grant.JWT_BEARER,
}
_CLIENT_ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class _Refusal(Struct, frozen=True):
    """A reason to refuse: RFC 6749's code, Microsoft's number, and a sentence."""

    error: str
    number: str
    sentence: str
    status: int = 400


_NO_TENANT: Final = _Refusal("invalid_request", "90002", "No connector has this token endpoint.")
_NO_GRANT: Final = _Refusal("unsupported_grant_type", "70003", "No connector here has this grant.")
_NO_CLIENT: Final = _Refusal("unauthorized_client", "700016", "Application was not found.")
_WRONG_SECRET: Final = _Refusal("invalid_client", "7000215", "Invalid client secret provided.", 401)
_WRONG_KEY: Final = _Refusal("invalid_client", "700027", "The key was not found.", 401)
_WRONG_REFRESH: Final = _Refusal("invalid_grant", "9002313", "The refresh token is not valid.")
_WRONG_JWT: Final = _Refusal("invalid_grant", "50027", "Invalid JWT Signature.")
_NOT_DELEGATED: Final = _Refusal(
    "unauthorized_client",
    "65001",
    "Client is unauthorized to retrieve access tokens using this method for this subject.",
    401,
)
_WRONG_SCOPE: Final = _Refusal("invalid_scope", "70011", "The provided scope is not valid.")


class AuthorisationServer:
    """Knows the applications of one host and port, and issues tokens to them."""

    def __init__(self, applications: Iterable[RegisteredClient], tokens: Tokens) -> None:
        self._applications = tuple(applications)
        self._tokens = tokens
        self._devices = Devices()

    def answer(self, path: str, form: Form) -> Answer:
        """Answer a request for a token, or for a code that a device shows (RFC 8628)."""
        devices = tuple(item for item in self._applications if device_path(item) == path)
        if devices:
            return self._devices.code(devices, form)
        if form.get("grant_type") == DEVICE_CODE:
            return self._answer_device(form)
        found = self._judge(path, form)
        if isinstance(found, _Refusal):
            return Answer(
                found.status, {"error": found.error, "error_description": self._say(found)}
            )
        accounts = (account for application in found for account in application.accounts)
        document: dict[str, str | int] = {
            "token_type": "Bearer",
            "access_token": self._tokens.issue(accounts),
            "expires_in": LIFETIME,
            "scope": " ".join(_scopes(form)),
        }
        if found[0].rotates:
            document["refresh_token"] = self._rotate(found[0])
        return Answer(200, document)

    def _answer_device(self, form: Form) -> Answer:
        """Answer whether the code was entered."""
        consumed = self._devices.ask(form)
        if isinstance(consumed, str):
            return Answer(
                400, {"error": consumed, "error_description": "Not yet, or not any more."}
            )
        token = self._rotate(consumed)
        return self.answer(
            consumed.path,
            {
                "grant_type": "refresh_token",
                "refresh_token": token,
                "client_id": consumed.client_id,
                "client_secret": form.get("client_secret", ""),
                "scope": form.get("scope", ""),
            },
        )

    def _rotate(self, consumed: RegisteredClient) -> str:
        """Replace a refresh token that was used, as providers may (RFC 6749 section 6)."""
        token = made_up_token()
        self._applications = tuple(
            replace(item, refresh_token=Secret(token), rotates=True)
            if _alike(item, consumed)
            else item
            for item in self._applications
        )
        return token

    def _judge(self, path: str, form: Form) -> tuple[RegisteredClient, ...] | _Refusal:
        """The applications that match the request, or the first reason why none does."""
        grant = _GRANTS.get(form.get("grant_type", ""))
        scopes = set(_scopes(form))
        questions: tuple[_Question, ...] = (
            (lambda item: item.path == path, _NO_TENANT),
            (lambda item: item.grant is grant, _NO_GRANT),
            *(_proofs(grant, form) if grant is not None else ()),
            (lambda item: scopes.issuperset(item.scopes), _WRONG_SCOPE),
        )
        left = self._applications
        for fits, refusal in questions:
            left = tuple(item for item in left if fits(item))
            if not left:
                return refusal
        return left

    def _say(self, refusal: _Refusal) -> str:
        microsoft = any("microsoftonline" in item.host for item in self._applications)
        return f"AADSTS{refusal.number}: {refusal.sentence}" if microsoft else refusal.sentence


def _alike(one: RegisteredClient, other: RegisteredClient) -> bool:
    """Whether two share a refresh token: those of IMAP and SMTP may differ in their scopes alone."""
    return one.client_id == other.client_id and one.refresh_token == other.refresh_token


def _proofs(grant: Grant, form: Form) -> tuple[_Question, ...]:
    """The conditions of a grant, in order, each with the refusal if it is not met."""
    client_id = form.get("client_id", "")
    match grant:
        case Grant.CLIENT_CREDENTIALS:
            by_key = form.get("client_assertion_type") == _CLIENT_ASSERTION
            client_id = client_id or _claimed(form.get("client_assertion", ""), "iss")
            proof: _Question = (
                (lambda item: _signs(item, form), _WRONG_KEY)
                if by_key
                else (lambda item: _equal(item.client_secret, form, "client_secret"), _WRONG_SECRET)
            )
            return ((lambda item: item.client_id == client_id, _NO_CLIENT), proof)
        case Grant.REFRESH_TOKEN:
            return (
                (lambda item: item.client_id == client_id, _NO_CLIENT),
                (_has_secret_of(form), _WRONG_SECRET),
                (lambda item: _equal(item.refresh_token, form, "refresh_token"), _WRONG_REFRESH),
            )
        case Grant.JWT_BEARER:
            subject = username_key(_claimed(form.get("assertion", ""), "sub"))
            return (
                (lambda item: _acts(item, form), _WRONG_JWT),
                (lambda item: item.subject == subject, _NOT_DELEGATED),
            )
    assert_never(grant)


def _has_secret_of(form: Form) -> Callable[[RegisteredClient], bool]:
    """Whether the client's secret is right; a public client has none (RFC 6749 section 2.1)."""
    return lambda item: (
        item.client_secret is None or _equal(item.client_secret, form, "client_secret")
    )


def _equal(secret: Secret | None, form: Form, field: str) -> bool:
    given = form.get(field, "").encode("utf-8", "surrogateescape")
    return secret is not None and hmac.compare_digest(given, secret.reveal().encode())


def _signs(application: RegisteredClient, form: Form) -> bool:
    from reconciler.sandbox.assertions import proves_client  # noqa: PLC0415 - most need no keys

    certificate = application.certificate
    return certificate is not None and proves_client(
        form.get("client_assertion", ""),
        certificate.reveal(),
        client_id=application.client_id,
        audience=application.endpoint,
    )


def _acts(application: RegisteredClient, form: Form) -> bool:
    from reconciler.sandbox.assertions import proves_service_account  # noqa: PLC0415 - likewise

    key = application.service_account_key
    return key is not None and proves_service_account(
        form.get("assertion", ""), key.reveal(), audience=application.endpoint
    )


def _claimed(assertion: str, claim: str) -> str:
    if not assertion:
        return ""
    from reconciler.sandbox.assertions import claimed  # noqa: PLC0415 - likewise

    return claimed(assertion, claim)


def _scopes(form: Form) -> tuple[str, ...]:
    """The requested scopes; a service account names them in its assertion."""
    asked = form.get("scope") or _claimed(form.get("assertion", ""), "scope")
    return tuple(asked.split())
