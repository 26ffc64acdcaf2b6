"""Why a connection for an account failed: at which stage, in which class, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Stage(StrEnum):
    """The stages of a test, in the order in which they run."""

    SECRET = "secret"  # noqa: S105 - the name of a stage
    DNS = "dns"
    TCP = "tcp"
    TLS = "tls"
    CAPABILITIES = "capabilities"
    AUTHENTICATION = "authentication"
    MAILBOX = "mailbox"
    ENVELOPE = "envelope"
    DELIVERY = "delivery"


class ErrorClass(StrEnum):
    """What went wrong, in one word that scripts can rely on."""

    CONFIG_INVALID = "config_invalid"
    SECRET_MISSING = "secret_missing"  # noqa: S105 - the name of a class
    DNS = "dns"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    TLS_MODE_MISMATCH = "tls_mode_mismatch"
    CERT_UNTRUSTED = "cert_untrusted"
    CERT_HOSTNAME = "cert_hostname"
    CERT_EXPIRED = "cert_expired"
    STARTTLS_MISSING = "starttls_missing"
    PROTOCOL = "protocol"
    AUTH_MECH_UNAVAILABLE = "auth_mech_unavailable"
    AUTH_REQUIRED = "auth_required"
    AUTH_REJECTED = "auth_rejected"
    AUTH_BASIC_DISABLED = "auth_basic_disabled"
    SMTP_AUTH_DISABLED = "smtp_auth_disabled"
    OAUTH_TOKEN = "oauth_token"  # noqa: S105 - the name of a class
    OAUTH_SCOPE = "oauth_scope"
    MAILBOX_NOT_CONNECTED = "mailbox_not_connected"
    FOLDER_MISSING = "folder_missing"
    SEND_AS_DENIED = "send_as_denied"
    RECIPIENT_REJECTED = "recipient_rejected"
    RATE_LIMITED = "rate_limited"
    QUOTA = "quota"
    NOT_DELIVERED = "not_delivered"
    INTERNAL = "internal"

    @property
    def unreachable(self) -> bool:
        """Whether no server answered, so that the account itself is untested."""
        return self in _UNREACHABLE


_UNREACHABLE = frozenset({ErrorClass.DNS, ErrorClass.REFUSED, ErrorClass.TIMEOUT})


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a stage failed: one sentence of cause, one of remedy, and what may be shown of the server's answer.

    ``reply`` is at most 300 printable characters and holds no secret: for the answer to a
    sign-in, only codes and known words. ``server_text`` is the full text, for a terminal only;
    "" unless requested. ``wrong_password`` is true if the password itself was rejected, not
    just this use of it.
    """

    error_class: ErrorClass
    cause: str
    remedy: str
    reply: str = ""
    wrong_password: bool = False
    server_text: str = field(default="", repr=False)
