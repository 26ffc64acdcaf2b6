"""Checking signed assertions of clients and service accounts (RFC 7523)."""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_pem_x509_certificate
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

if TYPE_CHECKING:
    from joserfc.jwt import Token


def proves_client(assertion: str, pem: str, *, client_id: str, audience: str) -> bool:
    """Whether the holder of this certificate's key asserts to be this client, to this endpoint.

    As at Microsoft Entra: PS256, and the certificate's thumbprint in the header.
    """
    try:
        certificate = load_pem_x509_certificate(pem.encode())
        public = certificate.public_key().public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        )
        token = _verified(assertion, RSAKey.import_key(public), "PS256")
    except (ValueError, JoseError):
        return False
    thumbprint = base64.urlsafe_b64encode(certificate.fingerprint(SHA256())).rstrip(b"=").decode()
    named = token.header.get("x5t#S256") == thumbprint
    return named and _says(token, iss=client_id, sub=client_id, aud=audience)


def proves_service_account(assertion: str, key: str, *, audience: str) -> bool:
    """Whether the holder of this service account's key (Google's JSON) signed this for this endpoint."""
    try:
        account = json.loads(key)
        token = _verified(assertion, RSAKey.import_key(account["private_key"]), "RS256")
        return _says(token, iss=account["client_email"], aud=audience)
    except (ValueError, LookupError, TypeError, JoseError):
        return False


def claimed(assertion: str, claim: str) -> str:
    """Return a claim of an assertion that is not verified yet; "" if it cannot be read."""
    try:
        body = assertion.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return str(claims.get(claim, "")) if isinstance(claims, dict) else ""
    except (ValueError, LookupError, binascii.Error):
        return ""


def _verified(assertion: str, key: RSAKey, algorithm: str) -> Token:
    return jwt.decode(assertion, key, algorithms=[algorithm])


def _says(token: Token, **claims: str) -> bool:
    """Whether it has all these claims, an expiry, and has not expired."""
    required: dict[str, Any] = {
        name: {"essential": True, "value": text} for name, text in claims.items()
    }
    try:
        jwt.JWTClaimsRegistry(exp={"essential": True}, **required).validate(token.claims)
    except JoseError:
        return False
    return True
