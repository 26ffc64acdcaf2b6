"""Explains why no access token was issued, by the error codes of RFC 6749."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from reconciler.connection.entra_codes import entra_failure
from reconciler.connection.failure import ErrorClass, Failure
from reconciler.mail.faults import (
    ENTRA_CODE,
    ExtraMissing,
    KeyUnusable,
    ProxyRefused,
    ProxyUnusable,
    TimedOut,
    TokenUnreachable,
    Unreachable,
    Unresolvable,
)
from reconciler.model.domain import with_a_label
from reconciler.wording import install_extra

if TYPE_CHECKING:
    from reconciler.connection.context import FailureContext
    from reconciler.mail.faults import TokenFault

_TOKEN: Final = ErrorClass.OAUTH_TOKEN
_SCOPE: Final = ErrorClass.OAUTH_SCOPE

_STANDARD: Final = {
    "invalid_client": (
        _TOKEN,
        "The client is unknown, or its secret is wrong.",
        "Check `client_id` and what the reference to the client secret resolves to.",
    ),
    "invalid_grant": (
        _TOKEN,
        "The refresh token or the assertion is not valid, has expired or was revoked.",
        (
            "Obtain a new one, with `reconciler login NAME --replace` where that is supported, and"
            " put it where the reference points; check this machine's clock."
        ),
    ),
    "unauthorized_client": (
        _SCOPE,
        "The client may not obtain a token in this way or for these scopes.",
        "Check which grants and scopes the client is registered for.",
    ),
    "temporarily_unavailable": (
        ErrorClass.REFUSED,
        "It cannot issue tokens at the moment.",
        "Wait and test again; the server says that this is temporary.",
    ),
    "server_error": (
        ErrorClass.REFUSED,
        "It reports an internal error.",
        "Wait and test again; if it persists, ask the operator of the authorisation server.",
    ),
    "invalid_scope": (_SCOPE, "A requested scope is not valid.", "Check `scopes`."),
}
"""Codes of RFC 6749 section 5.2, and two of section 4.1.2.1 that Microsoft uses here too."""

_GOOGLE_HOSTS: Final = (".googleapis.com", ".google.com")
_GOOGLE: Final = {
    "invalid_grant": "Obtain a new one; with a service account check `subject` and this machine's clock.",
    "unauthorized_client": "Give the service account domain-wide delegation for the scopes, and check `subject`.",
}
"""The remedy at Google, where service accounts act for users."""

_INSPECTED: Final = "If the proxy inspects TLS, trust its authority with `--ca-file`; if it should not, name the endpoint in NO_PROXY."
_OTHER: Final = "Check `grant`, `client_id`, `scopes` and the secrets; the authorisation server's log says more."


def token_failure(error: TokenFault, _where: FailureContext) -> Failure:
    """Say why there is no token.

    A server that is down is unreachable, and not the token's fault.
    """
    if isinstance(error, ExtraMissing):
        return Failure(
            ErrorClass.CONFIG_INVALID,
            f"Signing in with OAuth 2.0 needs {error.package}, which is not installed.",
            install_extra(error.extra),
        )
    if isinstance(error, KeyUnusable):
        remedy = f"Put {error.expected} where the reference points."
        return Failure(_TOKEN, f"{error}.", remedy)
    place = f"{with_a_label(error.host)}: " if error.host else ""
    through = f" through the proxy {error.via}" if error.via else ""
    if isinstance(error, TokenUnreachable):
        kinds = (
            (ProxyUnusable, ErrorClass.CONFIG_INVALID),
            (Unresolvable, ErrorClass.DNS),
            (Unreachable, ErrorClass.REFUSED),
        )
        network = next((kind for type_, kind in kinds if isinstance(error.reason, type_)), None)
        if isinstance(error.reason, TimedOut):
            network = ErrorClass.TIMEOUT
        return Failure(
            network or _TOKEN,
            f"No token from {with_a_label(error.host)}{through}: {str(error).rstrip('.')}.",
            _reach(error),
        )
    known = _STANDARD.get(error.error)
    if code := ENTRA_CODE.search(error.description):
        known = entra_failure(code[1], known[0] if known else _TOKEN)
    if known is not None:
        error_class, cause, remedy = known
        if error.host.endswith(_GOOGLE_HOSTS):
            remedy = _GOOGLE.get(error.error, remedy)
        return Failure(error_class, f"{place}{cause}", remedy)
    if error.error:
        return Failure(_TOKEN, f"{place}the request for a token was rejected.", _OTHER)
    source = f"from {with_a_label(error.host)}" if error.host else "could be obtained"
    remedy = _INSPECTED if error.via else _OTHER
    return Failure(_TOKEN, f"No token {source}{through}: {str(error).rstrip('.')}.", remedy)


def _reach(error: TokenUnreachable) -> str:
    """The remedy if the endpoint, or the proxy in front of it, was not reached."""
    if isinstance(error.reason, ProxyUnusable):
        return (
            "Correct the variable, or name the endpoint in NO_PROXY if this machine can reach it."
        )
    if not isinstance(error.reason, ProxyRefused):
        if error.via:
            return (
                "Check `token_endpoint` and HTTPS_PROXY, and that this machine can reach the proxy."
            )
        return "Check `token_endpoint`, and that this machine can reach it."
    return _allow(error.reason)


def _allow(refused: ProxyRefused) -> str:
    """The remedy if the proxy did not connect to the endpoint."""
    if refused.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        if refused.signed_in:
            return "Correct the user name and the password in HTTPS_PROXY; only Basic is supported."
        return "Name the user with HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT; only Basic is supported."
    if refused.temporary:
        return "Check `token_endpoint`; if it is right, the proxy cannot reach it at the moment."
    return "Have the proxy allow the endpoint, or name it in NO_PROXY if this machine can reach it."
