"""Access tokens of OAuth 2.0: fetched once for many tests, kept in memory until shortly before they expire."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from reconciler.mail.dial import ConnectTo
from reconciler.mail.faults import (
    Cancelled,
    ExtraMissing,
    KeyUnusable,
    MailFault,
    TokenFault,
    TokenUnreachable,
)
from reconciler.secrets.base import Secret

if TYPE_CHECKING:
    from reconciler.mail.deadline import Deadline
    from reconciler.mail.grants import Issued
    from reconciler.model.connector import OAuth2
    from reconciler.secrets.base import SecretResolver

_LEEWAY = 60.0
"""Seconds before its end at which a token is renewed."""

_REFUSED_FOR = 300.0
"""Seconds for which a refusal is passed on to whoever wants the same token, without asking again."""

_BUSY_FOR = 0.4
"""The same for a server that is out of order; shorter than the shortest wait before a new try."""

_SLICE = 0.2
"""Seconds after which a wait for somebody else's token looks up whether it was called off."""


class TokenSource(Protocol):
    """Issues access tokens. Implementations are safe to call from several threads."""

    def token(self, oauth2: OAuth2, username: str, deadline: Deadline) -> Secret:
        """Obtain a token for a mailbox; raises TokenFault, TimedOut or Cancelled."""
        ...


@dataclass(slots=True)
class _Kept:
    """What is known of one token; the lock is held by whoever fetches it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    token: Secret | None = None
    good_until: float = 0.0
    refresh_token: Secret | None = None
    refusal: Callable[[], TokenFault] | None = None
    refused_until: float = 0.0


class AuthlibTokens:
    """Fetches tokens with Authlib, which comes with the extra ``oauth``.

    ``clock`` gives seconds that only ever grow; tokens are renewed by it.

    A refusal is remembered as well, for some minutes: what is wrong with a client's secret is wrong for
    all its mailboxes, and a hundred refused requests get the client locked. A server that is out of
    order is left alone for a moment, however many mailboxes are tested.
    """

    def __init__(
        self,
        resolver: SecretResolver,
        *,
        connect_to: ConnectTo | None = None,
        ca_file: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._resolver = resolver
        self._connect_to = connect_to or ConnectTo()
        self._ca_file = ca_file
        self._kept: dict[tuple[OAuth2, str], _Kept] = {}

    def token(self, oauth2: OAuth2, username: str, deadline: Deadline) -> Secret:
        """Give the token that is kept, or fetch one; whoever comes while it is fetched waits for it."""
        kept = self._kept.setdefault((oauth2, _on_behalf_of(oauth2, username)), _Kept())
        while not kept.lock.acquire(timeout=min(_SLICE, deadline.remaining())):
            pass
        try:
            if kept.refusal is not None and self._clock() < kept.refused_until:
                raise kept.refusal()
            if kept.token is None or self._clock() >= kept.good_until:
                self._renew(kept, oauth2, username, deadline)
            return kept.token or Secret("")
        finally:
            kept.lock.release()

    def _renew(self, kept: _Kept, oauth2: OAuth2, username: str, deadline: Deadline) -> None:
        started = self._clock()
        try:
            issued = self._issue(kept, oauth2, username, deadline)
        except (ExtraMissing, KeyUnusable):
            raise
        except TokenFault as fault:
            again = partial(
                TokenFault,
                fault.host,
                str(fault),
                error=fault.error,
                description=fault.description,
            )
            self._remember(kept, again, temporary=fault.temporary)
            raise
        except Cancelled:
            raise
        except MailFault as fault:
            fault.__traceback__ = None  # whose frames hold the request
            unreachable = partial(TokenUnreachable, _host(oauth2), fault)
            if unreachable().temporary:
                self._remember(kept, unreachable, temporary=True)
            raise unreachable() from None
        except ssl.SSLError as error:
            reason = str(error.reason or "TLS failed").replace("_", " ").lower()
            raise TokenFault(_host(oauth2), f"TLS could not be set up: {reason}") from None
        kept.token = Secret(issued.access_token)
        kept.good_until = started + max(issued.seconds - _LEEWAY, issued.seconds / 2)
        if issued.refresh_token is not None:
            kept.refresh_token = Secret(issued.refresh_token)

    def _remember(self, kept: _Kept, refusal: Callable[[], TokenFault], *, temporary: bool) -> None:
        kept.refusal = refusal
        kept.refused_until = self._clock() + (_BUSY_FOR if temporary else _REFUSED_FOR)

    def _issue(self, kept: _Kept, oauth2: OAuth2, username: str, deadline: Deadline) -> Issued:
        try:
            from reconciler.mail.grants import Request, issue  # noqa: PLC0415 - an extra
        except ModuleNotFoundError as missing:
            package = (missing.name or "").partition(".")[0]
            raise ExtraMissing(_host(oauth2), package, "oauth") from None
        from reconciler.mail.https import Https  # noqa: PLC0415 - only where tokens are fetched

        if oauth2.token_endpoint is None:
            raise TokenFault("", "it is not known where tokens are issued")
        request = Request(
            oauth2,
            oauth2.token_endpoint,
            _host(oauth2),
            username,
            self._resolver.resolve,
            kept.refresh_token.reveal() if kept.refresh_token is not None else None,
        )
        return issue(request, Https(deadline, self._connect_to, self._ca_file))


def _on_behalf_of(oauth2: OAuth2, username: str) -> str:
    """The mailbox, where the token depends on it: only a service account acts for one."""
    return (oauth2.subject or username) if oauth2.service_account_key is not None else ""


def _host(oauth2: OAuth2) -> str:
    try:
        return urlsplit(oauth2.token_endpoint or "").hostname or ""
    except ValueError:
        return ""
