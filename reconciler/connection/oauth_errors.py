"""What it means if no access token is issued: the codes of RFC 6749, and Microsoft's behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.connection.failure import ErrorClass, Failure
from reconciler.mail.faults import (
    ENTRA_CODE,
    ExtraMissing,
    KeyUnusable,
    TimedOut,
    TokenUnreachable,
    Unreachable,
    Unresolvable,
)
from reconciler.model.domain import with_a_label

if TYPE_CHECKING:
    from reconciler.connection.context import FailureContext
    from reconciler.mail.faults import TokenFault

_TOKEN: Final = ErrorClass.OAUTH_TOKEN
_SCOPE: Final = ErrorClass.OAUTH_SCOPE

_ENTRA: Final = {
    "7000215": (
        _TOKEN,
        "The client secret is wrong.",
        "Put the secret's value, not its id, where the reference points.",
    ),
    "7000222": (
        _TOKEN,
        "The client secret has expired.",
        "Create a new one in the application's registration and put it where the reference points.",
    ),
    "700016": (
        _TOKEN,
        "The tenant knows no application of this client id.",
        "Check `client_id` and `tenant`; the application may be registered in another tenant.",
    ),
    "90002": (_TOKEN, "There is no such tenant.", "Check `tenant`."),
    "900023": (_TOKEN, "The tenant is neither an id nor a domain.", "Check `tenant`."),
    "700027": (
        _TOKEN,
        "The certificate is not one that the application has registered.",
        "Upload the certificate to the application's registration, or refer to the right one.",
    ),
    "7000112": (
        _TOKEN,
        "The application is disabled in the tenant.",
        "Enable it under Enterprise applications.",
    ),
    "700082": (
        _TOKEN,
        "The refresh token has expired from not being used.",
        "Sign in anew to obtain one, and put it where the reference points.",
    ),
    "70008": (
        _TOKEN,
        "The refresh token has expired.",
        "Sign in anew to obtain one, and put it where the reference points.",
    ),
    "50173": (
        _TOKEN,
        "The refresh token was revoked, most likely by a change of the password.",
        "Sign in anew to obtain one, and put it where the reference points.",
    ),
    "50076": (
        _TOKEN,
        "The tenant wants a second factor for this sign-in.",
        "Sign in anew with it, or use `grant: client_credentials`, in which no user takes part.",
    ),
    "53003": (
        _TOKEN,
        "A conditional access policy of the tenant blocks this sign-in.",
        "Ask the tenant's administrator to allow the application from this machine.",
    ),
    "65001": (
        _SCOPE,
        "Nobody has consented to what the application asks for.",
        "Have an administrator grant consent to the application's permissions.",
    ),
    "70011": (_SCOPE, "A scope that is asked for is not valid.", "Check `scopes`."),
    "1002012": (
        _SCOPE,
        "Client credentials take no single scopes.",
        "Use the one that ends in /.default.",
    ),
    "500011": (
        _SCOPE,
        "The tenant does not know the resource of the scopes.",
        "Check `scopes`; for mail the resource is https://outlook.office365.com.",
    ),
}
"""Codes of Microsoft Entra ("Microsoft Entra authentication and authorization error codes")."""

_STANDARD: Final = {
    "invalid_client": (
        _TOKEN,
        "The client is unknown, or its secret is wrong.",
        "Check `client_id` and what the reference to the client secret resolves to.",
    ),
    "invalid_grant": (
        _TOKEN,
        "The refresh token or the assertion is not valid, has expired or was revoked.",
        "Obtain a new one; with a service account check `subject` and this machine's clock.",
    ),
    "unauthorized_client": (
        _SCOPE,
        "The client may not obtain a token in this way or for these scopes.",
        "Check the grants of the client; for a service account of Google, its domain-wide delegation.",
    ),
    "temporarily_unavailable": (
        ErrorClass.REFUSED,
        "It cannot issue tokens at the moment.",
        "Wait and test again; the server says that this is temporary.",
    ),
    "invalid_scope": (_SCOPE, "A scope that is asked for is not valid.", "Check `scopes`."),
}
"""Codes of RFC 6749 section 5.2, and one of section 4.1.2.1 that Microsoft uses here too."""

_OTHER: Final = "Check `grant`, `client_id`, `scopes` and the secrets; the authorisation server's log says more."


def token_failure(error: TokenFault, _where: FailureContext) -> Failure:
    """Say why there is no token. A server that is down is unreachable, and not the token's fault."""
    if isinstance(error, ExtraMissing):
        return Failure(
            ErrorClass.CONFIG_INVALID,
            f"Signing in with OAuth 2.0 takes {error.package}, which is not installed.",
            f"Install it: pip install 'reconciler[{error.extra}]'.",
        )
    if isinstance(error, KeyUnusable):
        remedy = f"Put {error.wanted} where the reference points."
        return Failure(_TOKEN, f"{error}.", remedy)
    place = f"{with_a_label(error.host)}: " if error.host else ""
    if isinstance(error, TokenUnreachable):
        kinds = ((Unresolvable, ErrorClass.DNS), (Unreachable, ErrorClass.REFUSED))
        network = next((kind for type_, kind in kinds if isinstance(error.reason, type_)), None)
        if isinstance(error.reason, TimedOut):
            network = ErrorClass.TIMEOUT
        return Failure(
            network or _TOKEN,
            f"No token from {with_a_label(error.host)}: {str(error).rstrip('.')}.",
            "Check `token_endpoint`, and that this machine may reach it.",
        )
    code = ENTRA_CODE.search(error.description)
    known = _ENTRA.get(code[1]) if code else None
    known = known or _STANDARD.get(error.error)
    if known is not None:
        error_class, cause, remedy = known
        return Failure(error_class, f"{place}{cause}", remedy)
    if error.error:
        return Failure(_TOKEN, f"{place}the request for a token was rejected.", _OTHER)
    source = f"from {with_a_label(error.host)}" if error.host else "could be obtained"
    return Failure(_TOKEN, f"No token {source}: {str(error).rstrip('.')}.", _OTHER)
