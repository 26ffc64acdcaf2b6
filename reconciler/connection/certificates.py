"""Why a TLS handshake failed: what is wrong with the certificate, or with the protocol."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Final

from reconciler.connection.failure import ErrorClass, Failure

if TYPE_CHECKING:
    from reconciler.connection.context import FailureContext

# Reasons of OpenSSL (X509_V_ERR_*).
_NOT_YET_VALID: Final = 9
_EXPIRED: Final = 10
_SELF_SIGNED: Final = frozenset({18, 19})
_WRONG_NAME: Final = frozenset({62, 63, 64})


def tls_failure(error: ssl.SSLError, where: FailureContext) -> Failure:
    """Say what is wrong with the certificate, or with TLS itself."""
    host = where.account.shown_host
    if not isinstance(error, ssl.SSLCertVerificationError):
        return Failure(
            ErrorClass.PROTOCOL,
            f"TLS with {host} could not be set up ({where.show(str(error.reason or 'no reason'))}).",
            "The server must speak TLS 1.2 or newer on this port; ask its administrator.",
        )
    code = error.verify_code
    if code in _WRONG_NAME:
        return Failure(
            ErrorClass.CERT_HOSTNAME,
            f"The certificate is not for {host}.",
            "Set `server` to a name in the certificate.",
            where.show(error.verify_message),
        )
    if code == _EXPIRED:
        return Failure(
            ErrorClass.CERT_EXPIRED,
            f"The certificate of {host} has expired.",
            "The server's administrator has to renew it; check this machine's clock too.",
        )
    if code == _NOT_YET_VALID:
        return Failure(
            ErrorClass.CERT_EXPIRED,
            f"The certificate of {host} is not valid yet.",
            "Check this machine's clock; if it is right, the certificate is wrong.",
        )
    who = "itself" if code in _SELF_SIGNED else "an authority that this machine does not know"
    return Failure(
        ErrorClass.CERT_UNTRUSTED,
        f"The certificate of {host} is signed by {who}.",
        "If the server uses a private authority, trust its certificate with --ca-file.",
        where.show(error.verify_message),
    )
