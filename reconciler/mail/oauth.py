"""OAuth 2.0 access tokens: fetched once for many tests, and cached until shortly before expiry."""

from __future__ import annotations

import ssl
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import urlsplit

from msgspec import Struct

from reconciler.mail.dial import ConnectTo
from reconciler.mail.faults import (
    ENTRA_CODE,
    TOKEN_ERRORS,
    Cancelled,
    ExtraMissing,
    KeyUnusable,
    MailFault,
    TokenFault,
    TokenUnreachable,
)
from reconciler.mail.happy_eyeballs import Winners
from reconciler.mail.redaction import HIDDEN, Redactor
from reconciler.mail.refresh_tokens import RefreshToken, RefreshTokens
from reconciler.mail.web_proxy import NO_PROXIES
from reconciler.secrets.base import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.mail.deadline import Deadline
    from reconciler.mail.grants import Issued
    from reconciler.mail.web_proxy import ProxySettings
    from reconciler.model.connector import OAuth2
    from reconciler.model.secret_ref import SecretRef
    from reconciler.secrets.base import SecretResolver

_LEEWAY = 60.0
"""Seconds before its expiry at which a token is renewed."""

_REFUSED_FOR = 300.0
"""Seconds for which a refusal is cached for the same token."""

BUSY_SECONDS: Final = 0.4
"""Seconds before a broken token endpoint is asked again. Shorter than a test's wait before its next
try, so that the next try does ask.
"""

_OF_THE_CLIENT = frozenset({
    "invalid_client", "unauthorized_client", "invalid_scope", "unsupported_grant_type",
})  # fmt: skip
"""Codes of RFC 6749 section 5.2 that concern the client, whatever the mailbox."""


class TokenSource(Protocol):
    """Issues access tokens. Implementations are safe to call from several threads."""

    def token(
        self, oauth2: OAuth2, username: str, deadline: Deadline, ca_file: str | None = None
    ) -> Secret:
        """Obtain a token for a mailbox; raises TokenFault, TimedOut or Cancelled.

        ``ca_file`` holds additional authorities to trust for the endpoint.
        """
        ...

    def spent(self, oauth2: OAuth2) -> str:
        """Return a sentence if the refresh token was consumed and its successor could not be kept, else nothing."""
        ...


class _Wanted(Struct, frozen=True):
    """A requested token: how to obtain it, for which user name, and additional trusted authorities."""

    oauth2: OAuth2
    username: str
    ca_file: str | None = None

    @property
    def mailbox(self) -> str:
        """The mailbox, where the token depends on it: only a service account acts for one."""
        if self.oauth2.service_account_key is None:
            return ""
        return self.oauth2.subject or self.username

    @property
    def key(self) -> tuple[OAuth2, str, str | None]:
        """The key that requests for the same token share."""
        return self.oauth2, self.mailbox, self.ca_file

    @property
    def host(self) -> str:
        """The host of the token endpoint, empty if there is none."""
        try:
            return urlsplit(self.oauth2.token_endpoint or "").hostname or ""
        except ValueError:
            return ""


@dataclass(slots=True)
class _Kept:
    """The cache of one token; the thread that fetches it holds the lock."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    token: Secret | None = None
    good_until: float = 0.0


class _TokenRefusal(Struct, frozen=True):
    """The refusal, until when it counts, and the refused secrets; None for any."""

    fault: TokenFault
    until: float
    secrets: tuple[Secret, ...] | None


class AuthlibTokens:
    """Fetches tokens with Authlib, which comes with the extra ``oauth``.

    ``proxies`` are those of the environment. ``clock`` is a monotonic clock in seconds, by which tokens
    are renewed. ``winners`` remembers which address of an endpoint accepted the last connection. A
    refusal is cached as well, for some minutes or until a secret changes: a wrong client secret is
    wrong for all mailboxes, and a hundred refused requests get the client locked. A broken endpoint is
    not asked again for a moment, however many mailboxes are tested.
    """

    def __init__(
        self,
        resolver: SecretResolver,
        *,
        connect_to: ConnectTo | None = None,
        ca_file: str | None = None,
        proxies: ProxySettings = NO_PROXIES,
        winners: Winners | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._resolver = resolver
        self._refresh_tokens = RefreshTokens(resolver)
        self._connect_to = connect_to or ConnectTo()
        self._ca_file = ca_file
        self._proxies = proxies
        self._winners = winners or Winners()
        self._kept: dict[tuple[OAuth2, str, str | None], _Kept] = {}
        self._refusals: dict[object, _TokenRefusal] = {}

    def token(
        self, oauth2: OAuth2, username: str, deadline: Deadline, ca_file: str | None = None
    ) -> Secret:
        """Return the cached token, or fetch one; concurrent requests wait for it."""
        wanted = _Wanted(oauth2, username, ca_file)
        kept = self._kept.setdefault(wanted.key, _Kept())
        deadline.acquire(kept.lock)
        try:
            if kept.token is None or self._clock() >= kept.good_until:
                self._obtain(kept, wanted, deadline)
            return kept.token or Secret("")
        finally:
            kept.lock.release()

    def spent(self, oauth2: OAuth2) -> str:
        """Return a sentence if the refresh token was consumed and its successor could not be kept, else nothing."""
        return self._refresh_tokens.spent(oauth2.refresh_token)

    def _obtain(self, kept: _Kept, wanted: _Wanted, deadline: Deadline) -> None:
        """Fetch a token, with exclusive use of the refresh token, if any."""
        reference = wanted.oauth2.refresh_token
        with ExitStack() as stack:
            consumed = None
            if reference is not None:
                consumed = stack.enter_context(self._refresh_tokens.held(reference, deadline))
            known = {
                item: consumed.named
                if consumed is not None and consumed.named is not None and item == reference
                else self._resolver.resolve(item)
                for item in wanted.oauth2.references
            }
            secrets = tuple(known.values())
            self._refuse_again(wanted, secrets)
            try:
                self._renew(kept, wanted, known, deadline, consumed=consumed)
            except TokenFault as fault:
                self._remember(fault, wanted, secrets)
                raise

    def _refuse_again(self, wanted: _Wanted, secrets: tuple[Secret, ...]) -> None:
        for key in (wanted.oauth2.token_endpoint, wanted.oauth2, wanted.key):
            refusal = self._refusals.get(key)
            if (
                refusal is not None
                and self._clock() < refusal.until
                and refusal.secrets in (None, secrets)
            ):
                raise refusal.fault.again()

    def _remember(self, fault: TokenFault, wanted: _Wanted, secrets: tuple[Secret, ...]) -> None:
        if isinstance(fault, (ExtraMissing, KeyUnusable)):
            return
        if fault.temporary:
            until = self._clock() + BUSY_SECONDS
            self._refusals[wanted.oauth2.token_endpoint] = _TokenRefusal(fault.again(), until, None)
        elif not isinstance(fault, TokenUnreachable):
            key = wanted.oauth2 if fault.error in _OF_THE_CLIENT else wanted.key
            until = self._clock() + _REFUSED_FOR
            self._refusals[key] = _TokenRefusal(fault.again(), until, secrets)

    def _renew(
        self,
        kept: _Kept,
        wanted: _Wanted,
        known: Mapping[SecretRef, Secret],
        deadline: Deadline,
        *,
        consumed: RefreshToken | None,
    ) -> None:
        started = self._clock()
        issued_before = consumed.issued if consumed is not None else None
        try:
            issued = self._fetch(wanted, known, issued_before, deadline)
        except TokenFault as fault:
            if consumed is None or issued_before is None or fault.error != "invalid_grant":
                raise
            # It was revoked; the referenced one may have been replaced at the same time.
            consumed.issued = None
            issued = self._fetch(wanted, known, None, deadline)
        if consumed is not None and issued.refresh_token is not None:
            # First of all: the old one may be invalid from now on.
            consumed.replace(Secret(issued.refresh_token), self._resolver, wanted.host)
        kept.token = Secret(issued.access_token)
        kept.good_until = started + max(issued.seconds - _LEEWAY, issued.seconds / 2)

    def _fetch(
        self,
        wanted: _Wanted,
        known: Mapping[SecretRef, Secret],
        refresh_token: Secret | None,
        deadline: Deadline,
    ) -> Issued:
        """Ask once. No fault contains a secret that was sent, however the server quotes it."""
        host, oauth2 = wanted.host, wanted.oauth2
        try:
            from reconciler.mail.grants import Request, issue  # noqa: PLC0415 - an extra
        except ModuleNotFoundError as missing:
            package = (missing.name or "").partition(".")[0]
            raise ExtraMissing(host, package, "oauth") from None
        from reconciler.mail.https import Https  # noqa: PLC0415 - only where tokens are fetched

        if oauth2.token_endpoint is None:
            raise TokenFault("", "the token endpoint is unknown")
        request = Request(
            oauth2, oauth2.token_endpoint, host, wanted.username, known.__getitem__, refresh_token
        )
        authorities = (self._ca_file, wanted.ca_file)
        https = Https(deadline, self._connect_to, authorities, self._winners, self._proxies)
        try:
            return issue(request, https)
        except TokenFault as fault:
            redactor = Redactor()
            for secret in (*known.values(), *((refresh_token,) if refresh_token else ())):
                redactor.learn(secret)
            if fault.error not in TOKEN_ERRORS:
                fault.error = redactor.show(fault.error)
            code, text = ENTRA_CODE.search(fault.description), redactor.show(fault.description)
            fault.description = f"{code[0]}: {text}" if code and text == HIDDEN else text
            raise
        except Cancelled:
            raise
        except MailFault as fault:
            fault.__traceback__ = None  # whose frames contain the request
            raise TokenUnreachable(host, fault, https.via) from None
        except ssl.SSLError as error:
            reason = str(error.reason or "TLS failed").replace("_", " ").lower()
            if isinstance(error, ssl.SSLCertVerificationError):
                reason = f"{reason}: {error.verify_message}"
            raise TokenFault(host, f"TLS could not be set up: {reason}", via=https.via) from None
