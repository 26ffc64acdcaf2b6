"""The grants of OAuth 2.0 that need no browser, on Authlib (RFC 6749 section 4.4 and 6, RFC 7523)."""

from __future__ import annotations

import base64
import json
import ssl
from typing import TYPE_CHECKING, Any, assert_never

from authlib.oauth2.base import OAuth2Error
from authlib.oauth2.client import OAuth2Client
from authlib.oauth2.rfc7521 import AssertionClient
from authlib.oauth2.rfc7523 import JWTBearerGrant, PrivateKeyJWT
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import load_pem_x509_certificate
from joserfc.jwk import RSAKey
from msgspec import Struct

from reconciler.mail.faults import KeyUnusable, MailFault, ProtocolViolation, TokenFault
from reconciler.model.connector import Grant, OAuth2

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.mail.https import Https
    from reconciler.model.secret_ref import SecretRef
    from reconciler.secrets.base import Secret

_LIFETIME = 300
"""The assumed validity of a token in seconds if the server states none (RFC 6749 section 5.1)."""


class Issued(Struct, frozen=True):
    """The issued token, its validity in seconds, and a new refresh token, if any."""

    access_token: str
    seconds: int
    refresh_token: str | None

    def __repr__(self) -> str:
        return f"Issued(for {self.seconds} s)"


class Request(Struct, frozen=True):
    """A request for a token.

    ``refresh_token`` replaces the referenced one. ``reveal`` returns the referenced secrets, which are
    already resolved.
    """

    oauth2: OAuth2
    endpoint: str
    host: str
    username: str
    reveal: Callable[[SecretRef], Secret]
    refresh_token: Secret | None = None


def issue(request: Request, http: Https) -> Issued:
    """Ask for a token; raises TokenFault if it is refused, and faults of the connection as they are.

    Exceptions are raised without their cause: the libraries' frames contain the secrets.
    """
    try:
        answer = _ask(request, http)
    except OAuth2Error as error:
        raise TokenFault(
            request.host,
            "the request was refused",
            error=str(error.error),
            description=str(error.description or ""),
        ) from None
    except (MailFault, ssl.SSLError):
        raise
    except Exception as error:  # noqa: BLE001 - keys are read by three libraries, each with its own
        if not http.asked:
            raise _unusable(request) from None
        what = type(error).__name__
        raise TokenFault(request.host, f"the answer cannot be read ({what})") from None
    return issued_of(answer)


def _unusable(request: Request) -> TokenFault:
    oauth2 = request.oauth2
    if oauth2.certificate is not None:
        expected = "a certificate and its RSA key in PEM"
        return KeyUnusable(request.host, str(oauth2.certificate), expected)
    if oauth2.service_account_key is not None:
        expected = "the key of a service account in JSON"
        return KeyUnusable(request.host, str(oauth2.service_account_key), expected)
    return TokenFault(request.host, "the request cannot be made")


def _ask(request: Request, http: Https) -> Any:
    grant = request.oauth2.grant
    match grant:
        case Grant.CLIENT_CREDENTIALS:
            return client_of(request, http).fetch_token(
                request.endpoint, grant_type="client_credentials"
            )
        case Grant.REFRESH_TOKEN:
            token = request.refresh_token
            text = token.reveal() if token else _secret(request, request.oauth2.refresh_token)
            return client_of(request, http).refresh_token(request.endpoint, refresh_token=text)
        case Grant.JWT_BEARER:
            return _service_account(request, http).refresh_token()
    assert_never(grant)


def client_of(request: Request, http: Https) -> Any:
    """Make the client of Authlib that a connector signs in with."""
    oauth2 = request.oauth2
    arguments: dict[str, Any] = {
        "session": http,
        "client_id": oauth2.client_id,
        "scope": " ".join(oauth2.scopes) or None,
    }
    if oauth2.certificate is not None:
        pem = _secret(request, oauth2.certificate)
        client = OAuth2Client(
            **arguments, client_secret=pem, token_endpoint_auth_method=PrivateKeyJWT.name
        )
        # Microsoft identifies the registered certificate by its thumbprint.
        thumbprint = load_pem_x509_certificate(pem.encode()).fingerprint(SHA256())
        header = {"x5t#S256": base64.urlsafe_b64encode(thumbprint).rstrip(b"=").decode()}
        client.register_client_auth_method(
            PrivateKeyJWT(request.endpoint, headers=header, alg="PS256")
        )
        return client
    if oauth2.client_secret is not None:
        return OAuth2Client(
            **arguments,
            client_secret=_secret(request, oauth2.client_secret),
            token_endpoint_auth_method="client_secret_post",  # noqa: S106 - the name of a method
        )
    return OAuth2Client(**arguments, token_endpoint_auth_method="none")  # noqa: S106 - likewise


class _ServiceAccount(AssertionClient):  # type: ignore[misc]  # Authlib has no types
    ASSERTION_METHODS = {JWTBearerGrant.GRANT_TYPE: JWTBearerGrant.sign}  # noqa: RUF012 - Authlib's
    DEFAULT_GRANT_TYPE = JWTBearerGrant.GRANT_TYPE
    token = None


def _service_account(request: Request, http: Https) -> Any:
    oauth2 = request.oauth2
    key = json.loads(_secret(request, oauth2.service_account_key))
    return _ServiceAccount(
        session=http,
        token_endpoint=request.endpoint,
        issuer=key["client_email"],
        subject=oauth2.subject or request.username,
        claims={"scope": " ".join(oauth2.scopes)},
        key=RSAKey.import_key(key["private_key"]),
        header={"alg": "RS256", "kid": key.get("private_key_id", "")},
    )


def _secret(request: Request, reference: SecretRef | None) -> str:
    if reference is None:
        raise TokenFault(request.host, f"the grant {request.oauth2.grant} lacks a secret")
    return request.reveal(reference).reveal()


def issued_of(answer: Any) -> Issued:
    """Read the answer of a token endpoint; raises ProtocolViolation if it holds no token."""
    token = answer.get("access_token") if isinstance(answer, dict) else None
    if not isinstance(token, str) or not token:
        raise ProtocolViolation("The token endpoint issued no token.")
    seconds = answer.get("expires_in")
    refresh_token = answer.get("refresh_token")
    try:
        lifetime = int(seconds) if seconds is not None else _LIFETIME
    except (TypeError, ValueError):
        lifetime = _LIFETIME
    return Issued(token, lifetime, refresh_token if isinstance(refresh_token, str) else None)
