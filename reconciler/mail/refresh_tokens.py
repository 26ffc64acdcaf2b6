"""Refresh tokens that are consumed by use: each answer may contain a new one (RFC 6749 section 6).

The new one is stored at the old one's reference before the access token is used; if that is not
writable, it is kept in memory, and a warning says that the stored one is spent.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconciler.errors import SecretError
from reconciler.mail.deadline import SLICE
from reconciler.model.secret_ref import SecretRef
from reconciler.secrets.base import Secret, SecretKeeper

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.mail.deadline import Deadline
    from reconciler.secrets.base import Hold, SecretResolver


@dataclass(slots=True)
class RefreshToken:
    """The refresh token behind one reference, in exclusive use.

    ``named`` is the stored one, ``issued`` its successor that could not be stored, and ``spent`` a
    sentence that says so.
    """

    reference: SecretRef
    lock: threading.Lock = field(default_factory=threading.Lock)
    named: Secret | None = None
    issued: Secret | None = None
    spent: str = ""

    def replace(self, new: Secret, resolver: SecretResolver, host: str) -> None:
        """Keep the newly issued one."""
        old = self.named
        if old is None or new in (old, self.issued):
            return
        why_not = f"the secret {self.reference} cannot be written"
        if isinstance(resolver, SecretKeeper):
            try:
                resolver.replace(self.reference, old, new)
            except SecretError as error:
                why_not = error.message
            else:
                self.named, self.issued, self.spent = new, None, ""
                return
        self.issued = new
        self.spent = (
            f"{host} issued a new refresh token, which could not be kept: {why_not}. The one that "
            f"{self.reference} names is spent, and the next run may be refused (invalid_grant)"
        )


class RefreshTokens:
    """The refresh tokens of one process, each used by one thread at a time."""

    def __init__(self, resolver: SecretResolver) -> None:
        self._resolver = resolver
        self._tokens: dict[SecretRef, RefreshToken] = {}

    @contextmanager
    def held(self, reference: SecretRef, deadline: Deadline) -> Iterator[RefreshToken]:
        """Get exclusive use of a refresh token, so that no other process replaces it meanwhile.

        Raises SecretError if the reference yields none, TimedOut or Cancelled.
        """
        token = self._tokens.setdefault(reference, RefreshToken(reference))
        deadline.acquire(token.lock)
        try:
            hold = self._hold(reference, deadline)
            try:
                named = self._named(reference)
                if token.named is None or token.named != named:
                    token.named, token.issued, token.spent = named, None, ""
                yield token
            finally:
                if hold is not None:
                    hold.close()
        finally:
            token.lock.release()

    def spent(self, reference: SecretRef | None) -> str:
        """Return a sentence if the stored token of a reference is spent, else nothing."""
        token = self._tokens.get(reference) if reference is not None else None
        return token.spent if token is not None else ""

    def _hold(self, reference: SecretRef, deadline: Deadline) -> Hold | None:
        if not isinstance(self._resolver, SecretKeeper):
            return None
        while (hold := self._resolver.hold(reference)) is None:
            deadline.pause(SLICE)
        return hold

    def _named(self, reference: SecretRef) -> Secret:
        if isinstance(self._resolver, SecretKeeper):
            return self._resolver.resolve_anew(reference)
        return self._resolver.resolve(reference)
