"""The type of a resolved secret, the port that resolves one, and its fingerprint."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from reconciler.model.fingerprint import Fingerprint

if TYPE_CHECKING:
    from reconciler.model.secret_ref import SecretRef


class Secret:
    """A resolved secret. Only :meth:`reveal` returns the text, for the call that needs it.

    It cannot be printed, formatted, compared by accident, pickled, copied or turned into JSON: every
    one of these shows a mask or raises TypeError.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the secret itself, to pass it to a server."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    def __str__(self) -> str:
        return "(secret)"

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        mine = self._text.encode("utf-8", "surrogatepass")
        return hmac.compare_digest(mine, other._text.encode("utf-8", "surrogatepass"))

    __hash__ = None  # type: ignore[assignment]  # a hash of a secret tells about it

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a secret is not to be pickled or copied")


class SecretResolver(Protocol):
    """Fetches secrets. Implementations are safe to call from several threads."""

    def resolve(self, reference: SecretRef) -> Secret:
        """Fetch the secret that a reference names.

        Raises SecretError, which names the reference and never the value, if it is missing or cannot be read.
        """
        ...


class Hold(Protocol):
    """A secret that no other process replaces for the time being."""

    def close(self) -> None:
        """Release it."""
        ...


@runtime_checkable
class SecretKeeper(SecretResolver, Protocol):
    """Replaces secrets that are consumed by use, where their references can be written."""

    def resolve_anew(self, reference: SecretRef) -> Secret:
        """Fetch a secret, bypassing the cache: another process may have replaced it."""
        ...

    def hold(self, reference: SecretRef) -> Hold | None:
        """Keep other processes from replacing a secret; None if one of them is about to."""
        ...

    def replace(self, reference: SecretRef, old: Secret, new: Secret) -> None:
        """Replace the existing secret atomically.

        Raises SecretError, which says why, if the reference cannot be written, or now holds another
        secret.
        """
        ...


class FingerprintKey:
    """The key under which secrets are fingerprinted and saved plans sealed; it lives outside the state."""

    __slots__ = ("_key", "key_id")

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.key_id = hmac.digest(key, b"reconciler key id", "sha256").hex()[:16]

    def __repr__(self) -> str:
        return f"FingerprintKey({self.key_id})"

    def fingerprint(self, reference: SecretRef, secret: Secret) -> Fingerprint:
        """Return the HMAC-SHA256 of reference and secret; under two references, one secret has two fingerprints."""
        return Fingerprint(self.key_id, self._mac(f"{reference}\0{secret.reveal()}"))

    def value(self, secret: Secret) -> Fingerprint:
        """HMAC-SHA256 over the secret alone: one secret under two references shows as one."""
        return Fingerprint(self.key_id, self._mac(f"\0value\0{secret.reveal()}"))

    def seal(self, text: str) -> str:
        """HMAC-SHA256 over a text, in hexadecimal; never equal to a fingerprint."""
        return self._mac(f"\0seal\0{text}")

    def _mac(self, message: str) -> str:
        octets = message.encode("utf-8", "surrogatepass")
        return hmac.digest(self._key, octets, "sha256").hex()
