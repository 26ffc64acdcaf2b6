"""The passwords of applications: refetched regularly, and kept only as salted hashes."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from reconciler.errors import SecretError

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.model.secret_ref import SecretRef
    from reconciler.secrets.base import Secret

KEPT: Final = 60.0
"""Seconds after which a password is fetched again, in case it was replaced."""
SHORTEST: Final = 12
"""The minimum length of a password: it protects a network port."""


class _Hashed(Struct, frozen=True):
    salt: bytes
    digest: bytes
    at: float


class Passwords:
    """Compares passwords with those behind references. Threads share it.

    ``fetch`` resolves a reference without caching; it raises SecretError. If refetching fails, such as
    during a rotation, the old password stays valid.
    """

    def __init__(
        self, fetch: Callable[[SecretRef], Secret], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._turn = threading.Lock()
        self._known: dict[SecretRef, _Hashed] = {}
        self._decoy = _hashed(secrets.token_bytes(24), 0.0)

    def matches(self, reference: SecretRef | None, password: bytes) -> bool:
        """Whether it is the password; None never matches, but takes as long. Raises SecretError."""
        known = self._current(reference) if reference is not None else self._decoy
        same = hmac.compare_digest(_digest(password, known.salt), known.digest)
        return same and reference is not None

    def _current(self, reference: SecretRef) -> _Hashed:
        with self._turn:
            known = self._known.get(reference)
        if known is not None and self._clock() - known.at < KEPT:
            return known
        try:
            text = _long_enough(reference, self._fetch(reference).reveal())
        except SecretError:
            if known is None:
                raise
            found = _Hashed(known.salt, known.digest, self._clock())
        else:
            found = _hashed(text.encode(), self._clock())
        with self._turn:
            self._known[reference] = found
        return found


def _long_enough(reference: SecretRef, text: str) -> str:
    if len(text) < SHORTEST:
        raise SecretError(
            f"the secret {reference} is shorter than {SHORTEST} characters",
            hint="Generate one, for example with `openssl rand -base64 24`.",
        )
    return text


def _hashed(password: bytes, at: float) -> _Hashed:
    salt = secrets.token_bytes(16)
    return _Hashed(salt, _digest(password, salt), at)


def _digest(password: bytes, salt: bytes) -> bytes:
    """Hash with scrypt (RFC 7914): 8 MiB and some 25 ms, in case the memory leaks."""
    return hashlib.scrypt(password, salt=salt, n=2**13, r=8, p=1)
