"""The faults between us and a mail server, as exceptions.

The tree::

    MailFault ├── Unresolvable        the name has no address ├── Unreachable         no address accepts
    the connection │   ├── NotRedirected     connecting to it is forbidden │   ├── OutOfOrder        it
    reports that it is overloaded or broken │   ├── ProxyUnusable     the variable that names the proxy
    is invalid │   └── ProxyRefused      the proxy refuses to connect to it ├── TimedOut            the
    deadline has passed ├── Cancelled           the work was cancelled ├── Disconnected        the server
    hung up ├── TlsFault            TLS broke off after the handshake ├── Violation           the server
    says what the protocol does not allow ├── StarttlsMissing     STARTTLS is mandatory, and the server
    does not offer it ├── NoMechanism         no common way to sign in ├── Unsendable          a value
    cannot be sent over the protocol ├── TokenFault          no access token was issued │ ├──
    TokenUnreachable  the endpoint could not be reached │   ├── KeyUnusable       the client's key is
    unusable │   └── ExtraMissing      a package is not installed ├── Uncertain a mail was handed over,
    and the server did not confirm it └── Declined            the server rejected a command

Failures of TLS are :class:`ssl.SSLError` as it comes. None is an OSError: smtplib and imaplib replace
those with exceptions that hide whether it was a timeout or a disconnect. A server's text is unmodified,
and may repeat what was sent to it. So it is not part of any ``str()`` or ``repr()`` here; to show it,
pass it through :class:`reconciler.mail.redaction.Redactor`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

TOKEN_ERRORS: Final = frozenset(
    {
        "access_denied", "consent_required", "interaction_required", "invalid_client", "invalid_grant",
        "invalid_request", "invalid_resource", "invalid_scope", "login_required", "server_error",
        "temporarily_unavailable", "unauthorized_client", "unsupported_grant_type",
    }
)  # fmt: skip
"""Error codes of token endpoints (RFC 6749 sections 4.1.2.1 and 5.2, OpenID Connect, Microsoft)."""


ENTRA_CODE: Final = re.compile(r"AADSTS([0-9]{4,8})")
"""The code at the start of Microsoft Entra's descriptions."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A server's answer.

    ``code`` is the reply code of SMTP (``535``) or the condition of IMAP (``NO``, ``BAD``, ``BYE``);
    ``status`` the enhanced status code of SMTP (``5.7.139``, RFC 3463) or the response code of IMAP
    (``AUTHENTICATIONFAILED``, RFC 5530), if there is one.
    """

    code: str
    status: str = ""
    text: str = field(default="", repr=False)


class MailFault(Exception):
    """A fault of a mail server. The message is ours and contains nothing of the server's."""


class Unresolvable(MailFault):
    """The DNS has no address for the host."""


class Unreachable(MailFault):
    """No connection to any address of the host: refused, or no route to it."""


class NotRedirected(Unreachable):
    """Only redirected connections are allowed, and this one is not redirected."""


class OutOfOrder(Unreachable):
    """The server answers that it is overloaded or has an internal error."""


class ProxyUnusable(Unreachable):
    """The variable that names a web proxy is invalid; the message says why without quoting it."""


class ProxyRefused(Unreachable):
    """A web proxy answered CONNECT with ``status``; ``signed_in`` is true if it was given credentials."""

    def __init__(self, status: int, *, signed_in: bool) -> None:
        super().__init__(f"the proxy answered with HTTP {status}")
        self.status = status
        self.signed_in = signed_in

    @property
    def temporary(self) -> bool:
        """Whether the proxy reports a temporary problem."""
        return self.status in {429, 502, 503, 504}


class TimedOut(MailFault):
    """The deadline has passed. ``silent`` is true if the server had not sent a single octet."""

    def __init__(self, *, silent: bool) -> None:
        super().__init__("the deadline has passed")
        self.silent = silent


class Cancelled(MailFault):
    """The work was cancelled from outside."""


class Disconnected(MailFault):
    """The server closed the connection; ``reply`` is its BYE, if any.

    ``silent`` is true if it had not sent a single octet before.
    """

    def __init__(self, *, silent: bool, reply: Reply | None = None) -> None:
        super().__init__("the server closed the connection")
        self.silent = silent
        self.reply = reply


class TlsFault(MailFault):
    """TLS failed after the handshake; ``reason`` is OpenSSL's, such as an alert of the server."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"TLS broke off ({reason.lower().replace('_', ' ')})")
        self.reason = reason


class ProtocolViolation(MailFault):
    """The server violates the protocol. ``heard`` is the line in question, if there is one."""

    def __init__(self, message: str, heard: str = "") -> None:
        super().__init__(message)
        self.heard = heard


class StarttlsMissing(MailFault):
    """The server does not offer STARTTLS."""


class NoMechanism(MailFault):
    """No way to sign in that both sides know; ``offered`` is what the server named."""

    def __init__(self, message: str, offered: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.offered = offered


class Unsendable(MailFault):
    """A user name, password or address contains characters that the protocol cannot carry."""


class TokenFault(MailFault):
    """No access token could be obtained from ``host``.

    ``error`` is the code of RFC 6749 section 5.2 if the request was refused, or "" if it could not be
    made; then the message says why. ``description`` is the server's own text. ``via`` is the proxy of
    the request, as HOST:PORT.
    """

    def __init__(
        self, host: str, message: str, *, error: str = "", description: str = "", via: str = ""
    ) -> None:
        super().__init__(message)
        self.host = host
        self.via = via
        self.error = error
        self.description = description

    @property
    def temporary(self) -> bool:
        """Whether the server itself reports a temporary problem."""
        return self.error in {"temporarily_unavailable", "server_error"}

    def again(self) -> TokenFault:
        """A copy to raise again, without the old traceback."""
        return TokenFault(
            self.host, str(self), error=self.error, description=self.description, via=self.via
        )


class TokenUnreachable(TokenFault):
    """The token endpoint could not be reached; ``reason`` is what happened instead."""

    def __init__(self, host: str, reason: MailFault, via: str = "") -> None:
        super().__init__(host, str(reason), via=via)
        self.reason = reason

    @property
    def temporary(self) -> bool:
        """Whether it was reached, but is overloaded, broken or dropped the connection."""
        if isinstance(self.reason, ProxyRefused):
            return self.reason.temporary
        return isinstance(self.reason, (OutOfOrder, Disconnected))

    def again(self) -> TokenFault:
        """A copy to raise again."""
        return TokenUnreachable(self.host, self.reason, self.via)


class KeyUnusable(TokenFault):
    """A reference does not resolve to a key or certificate; ``expected`` says what was expected."""

    def __init__(self, host: str, reference: str, expected: str) -> None:
        super().__init__(host, f"{reference} does not hold {expected}")
        self.expected = expected


class ExtraMissing(TokenFault):
    """``package`` is not installed; the extra ``extra`` installs it."""

    def __init__(self, host: str, package: str, extra: str) -> None:
        super().__init__(host, f"{package} is not installed")
        self.package = package
        self.extra = extra


class Uncertain(MailFault):
    """A whole mail was handed over, but the connection ended before the server accepted it.

    It may have been delivered, so it must not be sent again without asking (RFC 5321 section 4.5.5,
    RFC 1047).
    """


class Declined(MailFault):
    """The server rejected ``command``.

    ``challenge`` is the JSON at the end of a failed XOAUTH2 or OAUTHBEARER, if any.
    """

    def __init__(self, command: str, reply: Reply, challenge: str = "") -> None:
        super().__init__(f"{command} was answered with {reply.code}")
        self.command = command
        self.reply = reply
        self.challenge = challenge
