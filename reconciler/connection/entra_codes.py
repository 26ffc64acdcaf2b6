"""What the codes of Microsoft Entra mean when it issues no token."""

from __future__ import annotations

from typing import Final

from reconciler.connection.failure import ErrorClass

_TOKEN: Final = ErrorClass.OAUTH_TOKEN
_SCOPE: Final = ErrorClass.OAUTH_SCOPE

_LATER: Final = "Wait and test again; Microsoft says that this is temporary."

ENTRA: Final[dict[str, tuple[ErrorClass, str, str]]] = {
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
        "The tenant has no application with this client id.",
        "Check `client_id` and `tenant`; the application may be registered in another tenant.",
    ),
    "90002": (_TOKEN, "The tenant does not exist.", "Check `tenant`."),
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
        "Sign in again to obtain one, and put it where the reference points.",
    ),
    "70008": (
        _TOKEN,
        "The refresh token has expired.",
        "Sign in again to obtain one, and put it where the reference points.",
    ),
    "50173": (
        _TOKEN,
        "The refresh token was revoked, most likely by a change of the password.",
        "Sign in again to obtain one, and put it where the reference points.",
    ),
    "50076": (
        _TOKEN,
        "The tenant demands a second factor for this sign-in.",
        "Sign in again with it, or use `grant: client_credentials`, in which no user takes part.",
    ),
    "53003": (
        _TOKEN,
        "A conditional access policy of the tenant blocks this sign-in.",
        "Ask the tenant's administrator to allow the application from this machine.",
    ),
    "65001": (
        _SCOPE,
        "Nobody has consented to the permissions that the application requests.",
        "Have an administrator grant consent to the application's permissions.",
    ),
    "70011": (_SCOPE, "A requested scope is not valid.", "Check `scopes`."),
    "1002012": (
        _SCOPE,
        "Client credentials cannot request individual scopes.",
        "Use the one that ends in /.default.",
    ),
    "500011": (
        _SCOPE,
        "The tenant does not know the resource of the scopes.",
        "Check `scopes`; for mail the resource is https://outlook.office365.com.",
    ),
    "700024": (
        _TOKEN,
        "The client assertion is outside of the time for which it is valid.",
        "Set this machine's clock; it must be right to within a few minutes.",
    ),
    "500133": (
        _TOKEN,
        "The assertion is outside of the time for which it is valid.",
        "Set this machine's clock; it must be right to within a few minutes.",
    ),
    "7000218": (
        _TOKEN,
        "The application must prove who it is, but neither a client secret nor a certificate was sent.",
        "Add `client_secret` or `certificate`; or allow public client flows in the application's registration.",
    ),
    "7000229": (
        _TOKEN,
        "The application has no service principal in this tenant.",
        "Have an administrator of the tenant consent to the application, which creates one; check `tenant`.",
    ),
    "70043": (
        _TOKEN,
        "The refresh token has expired by a policy of the tenant (sign-in frequency).",
        "Sign in again to obtain one; or use `grant: client_credentials`, in which no user takes part.",
    ),
    "50126": (
        _TOKEN,
        "The user name or the password of the user is wrong.",
        "Check both; a federated user signs in where their organisation says.",
    ),
    "50034": (
        _TOKEN,
        "There is no such user in the tenant.",
        "Check the user name and `tenant`.",
    ),
    "50053": (
        _TOKEN,
        "The account is locked after too many failed sign-ins, or the sign-in comes from a blocked address.",
        "Wait, or have the tenant's administrator unlock the account; correct the secret first.",
    ),
    "50055": (_TOKEN, "The password of the user has expired.", "Have the user set a new one."),
    "50057": (
        _TOKEN,
        "The account of the user is disabled.",
        "Have the tenant's administrator enable it.",
    ),
    "50074": (
        _TOKEN,
        "The tenant demands a second factor for this sign-in.",
        "Sign in again with it, or use `grant: client_credentials`, in which no user takes part.",
    ),
    "50078": (
        _TOKEN,
        "The second factor of this sign-in has expired by a policy of the tenant.",
        "Sign in again with it, or use `grant: client_credentials`, in which no user takes part.",
    ),
    "50105": (
        _TOKEN,
        "The tenant lets only assigned users and applications use this application.",
        "Assign the user under Enterprise applications, or turn off *Assignment required* there.",
    ),
    "50158": (
        _TOKEN,
        "The tenant demands a further check with another provider for this sign-in.",
        "Sign in again with it, or use `grant: client_credentials`, in which no user takes part.",
    ),
    "50079": (
        _TOKEN,
        "The user must register a second factor first.",
        "Have the user sign in with a browser and register one; or use `grant: client_credentials`.",
    ),
    "50020": (
        _TOKEN,
        "The user belongs to another tenant, and is not a guest of this one.",
        "Set `tenant` to the user's own, or have the user invited.",
    ),
    "530003": (
        _TOKEN,
        "A conditional access policy demands a managed device.",
        "Ask the tenant's administrator to exempt the application; or use `grant: client_credentials`.",
    ),
    "53000": (
        _TOKEN,
        "A conditional access policy demands a device that complies with the rules of the tenant.",
        "Ask the tenant's administrator to exempt the application; or use `grant: client_credentials`.",
    ),
    "9002313": (
        _TOKEN,
        "The refresh token or the assertion is not valid; Microsoft calls the request malformed.",
        "Check that the reference resolves to the whole token, or sign in again to obtain one.",
    ),
    "90024": (ErrorClass.REFUSED, "Microsoft Entra has a temporary problem.", _LATER),
    "90033": (ErrorClass.REFUSED, "Microsoft Entra has a temporary problem.", _LATER),
    "90094": (
        _SCOPE,
        "An administrator must consent to the permissions that the application requests.",
        "Have an administrator grant consent to the application's permissions.",
    ),
}
"""Codes of Microsoft Entra ("Microsoft Entra authentication and authorization error codes")."""

_PAGE: Final = "https://login.microsoftonline.com/error?code="
"""Microsoft's page that explains a code."""


def entra_failure(code: str, error_class: ErrorClass) -> tuple[ErrorClass, str, str]:
    """Return class, cause and remedy of a code; one that is not known has the ``error_class`` of the answer."""
    return ENTRA.get(code) or (
        error_class,
        f"Microsoft Entra issued no token, with the code AADSTS{code}.",
        f"Look the code up at {_PAGE}{code}, or ask the tenant's administrator.",
    )
