"""Why TLS failed: the certificate, the handshake, or what came after it."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from reconciler.connection.failure import ErrorClass, Failure

if TYPE_CHECKING:
    from reconciler.connection.context import FailureContext


class _Words(Struct, frozen=True):
    """What a failure means; the cause may name {host}."""

    error_class: ErrorClass
    cause: str
    remedy: str


_UNTRUSTED: Final = ErrorClass.CERT_UNTRUSTED
_OWN_AUTHORITY: Final = (
    "If the server has an authority of its own, name its certificate with `ca_file` or --ca-file."
)
_REISSUE: Final = "Ask the server's administrator for a new certificate with what is missing."
_WRONG_NAME: Final = _Words(
    ErrorClass.CERT_HOSTNAME,
    "The certificate is not for {host}.",
    "Set `server` to a name that the certificate is for; never turn the check off.",
)
_INCOMPLETE: Final = _Words(
    _UNTRUSTED,
    "The certificate of {host} was issued by an authority that this machine does not know.",
    f"The server may leave out an intermediate certificate. {_OWN_AUTHORITY}",
)
_WEAK_KEY: Final = _Words(
    _UNTRUSTED,
    "The certificate of {host}, or of its authority, has a key that is too weak.",
    "Ask the server's administrator for a certificate with an RSA key of 2048 bits or more, or an EC key.",
)
_NOT_AN_AUTHORITY: Final = _Words(
    _UNTRUSTED,
    "The certificate of {host} was issued with a certificate that may issue none.",
    "Ask the server's administrator; the authority's certificate lacks the rights of one (RFC 5280).",
)
_MALFORMED: Final = _Words(
    _UNTRUSTED,
    "The certificate of {host}, or of its authority, violates RFC 5280.",
    _REISSUE,
)

_VERIFICATION: Final[dict[int, _Words]] = {
    2: _INCOMPLETE,
    20: _INCOMPLETE,
    21: _INCOMPLETE,
    7: _Words(
        _UNTRUSTED,
        "The signature of the certificate of {host} is wrong.",
        "Something in between may have replaced the certificate; ask the server's administrator.",
    ),
    9: _Words(
        ErrorClass.CERT_EXPIRED,
        "The certificate of {host} is not valid yet.",
        "Check this machine's clock; if it is right, the certificate is at fault.",
    ),
    10: _Words(
        ErrorClass.CERT_EXPIRED,
        "The certificate of {host}, or of its authority, has expired.",
        "The server's administrator has to renew it; check this machine's clock too.",
    ),
    18: _Words(
        _UNTRUSTED,
        "The certificate of {host} is self-signed: no authority has issued it.",
        "Install one from an authority on the server, or name this certificate with `ca_file` or --ca-file.",
    ),
    19: _Words(
        _UNTRUSTED,
        "The certificate of {host} was issued by a root authority that this machine does not trust.",
        _OWN_AUTHORITY,
    ),
    23: _Words(
        _UNTRUSTED,
        "The certificate of {host} was revoked.",
        "The server's administrator has to replace it.",
    ),
    24: _NOT_AN_AUTHORITY,
    25: _NOT_AN_AUTHORITY,
    26: _Words(
        _UNTRUSTED,
        "The certificate of {host} is not meant for servers.",
        "Ask the server's administrator for one with the purpose of TLS server authentication.",
    ),
    32: _NOT_AN_AUTHORITY,
    47: _Words(
        _UNTRUSTED,
        "The authority of the certificate of {host} may not issue certificates for this name.",
        _OWN_AUTHORITY,
    ),
    62: _WRONG_NAME,
    63: _WRONG_NAME,
    64: _WRONG_NAME,
    66: _WEAK_KEY,
    67: _WEAK_KEY,
    68: _Words(
        _UNTRUSTED,
        "The certificate of {host} is signed with a hash that is too weak, such as SHA-1.",
        "Ask the server's administrator for a certificate that is signed with SHA-256.",
    ),
    79: _NOT_AN_AUTHORITY,
    85: _Words(
        _UNTRUSTED,
        "The certificate of {host} lacks the identifier of its authority's key.",
        "Ask the server's administrator for a new one with an authority key identifier (RFC 5280).",
    ),
    86: _Words(
        _UNTRUSTED,
        "A certificate of an authority of {host} lacks the identifier of its own key.",
        "Ask the server's administrator for a new one with a subject key identifier (RFC 5280).",
    ),
    92: _Words(
        _UNTRUSTED,
        "A certificate of an authority of {host} does not say what its key may be used for.",
        "Ask the server's administrator for a new one with the key usage keyCertSign (RFC 5280).",
    ),
    **dict.fromkeys((80, 81, 82, 83, 84, 87, 88, 89, 90, 91, 93, 94), _MALFORMED),
}
"""By the codes of OpenSSL (X509_V_ERR_*)."""

_CLIENT_CERTIFICATE: Final = _Words(
    ErrorClass.PROTOCOL,
    "{host} asks for a client certificate, and there is none.",
    "Name one with `client_certificate`, or use a port on which the server asks for none.",
)
_REJECTED_CERTIFICATE: Final = _Words(
    ErrorClass.PROTOCOL,
    "{host} does not accept our client certificate.",
    "Ask the server's administrator which authority's certificates it accepts.",
)
_OLD: Final = _Words(
    ErrorClass.PROTOCOL,
    "{host} speaks no TLS 1.2 or newer.",
    "Ask the server's administrator to turn on TLS 1.2 or newer on this port.",
)

_REASONS: Final[tuple[tuple[str, _Words], ...]] = (
    ("ALERT_CERTIFICATE_REQUIRED", _CLIENT_CERTIFICATE),
    ("ALERT_NO_CERTIFICATE", _CLIENT_CERTIFICATE),
    ("ALERT_BAD_CERTIFICATE", _REJECTED_CERTIFICATE),
    ("ALERT_UNSUPPORTED_CERTIFICATE", _REJECTED_CERTIFICATE),
    ("ALERT_CERTIFICATE", _REJECTED_CERTIFICATE),
    ("ALERT_UNKNOWN_CA", _REJECTED_CERTIFICATE),
    (
        "ALERT_HANDSHAKE_FAILURE",
        _Words(
            ErrorClass.PROTOCOL,
            "{host} breaks off the handshake: it has no way to encrypt in common with this machine, or asks for"
            " a client certificate.",
            "Ask the server's administrator which of the two it is.",
        ),
    ),
    ("PROTOCOL_VERSION", _OLD),
    ("UNSUPPORTED_PROTOCOL", _OLD),
    (
        "UNRECOGNIZED_NAME",
        _Words(
            ErrorClass.CERT_HOSTNAME,
            "The server does not know the name {host}, and so has no certificate for it.",
            "Set `server` to the name that the provider documents.",
        ),
    ),
    (
        "KEY_TOO_SMALL",
        _Words(
            ErrorClass.PROTOCOL,
            "{host} uses a key that is too weak.",
            "Ask the server's administrator for a key of 2048 bits or more.",
        ),
    ),
    (
        "LEGACY_RENEGOTIATION",
        _Words(
            ErrorClass.PROTOCOL,
            "{host} lacks secure renegotiation (RFC 5746).",
            "The server's software is too old; ask its administrator.",
        ),
    ),
    (
        "ALERT_INTERNAL_ERROR",
        _Words(
            ErrorClass.PROTOCOL,
            "{host} reports an internal error while it sets up TLS.",
            "Ask the server's administrator, or test again later.",
        ),
    ),
    (
        "ALERT_ACCESS_DENIED",
        _Words(
            ErrorClass.PROTOCOL,
            "{host} refuses the connection as soon as TLS is up.",
            "Ask the server's administrator whether this machine may connect.",
        ),
    ),
)
"""By parts of OpenSSL's reasons: alerts of the server (RFC 8446 section 6.2), and our own errors."""


def tls_failure(error: ssl.SSLError, where: FailureContext) -> Failure:
    """Explain what is wrong with the certificate, or with TLS itself."""
    if not isinstance(error, ssl.SSLCertVerificationError):
        return reason_failure(str(error.reason or ""), where)
    words = _VERIFICATION.get(error.verify_code)
    if words is None:
        words = _Words(_UNTRUSTED, "The certificate of {host} cannot be verified.", _OWN_AUTHORITY)
    return _failure(words, where, where.show(error.verify_message))


def reason_failure(reason: str, where: FailureContext) -> Failure:
    """Explain one of OpenSSL's reasons."""
    words = next((words for part, words in _REASONS if part in reason), None)
    if words is not None:
        return _failure(words, where)
    said = reason.lower().replace("_", " ") or "no reason"
    return Failure(
        ErrorClass.PROTOCOL,
        f"TLS with {where.account.shown_host} failed ({said}).",
        "The server must speak TLS 1.2 or newer on this port; ask its administrator.",
    )


def _failure(words: _Words, where: FailureContext, reply: str = "") -> Failure:
    cause = words.cause.format(host=where.account.shown_host)
    return Failure(words.error_class, cause, words.remedy, reply)
