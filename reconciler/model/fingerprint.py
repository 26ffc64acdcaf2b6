"""The fingerprint of a secret."""

from __future__ import annotations

from msgspec import Struct


class Fingerprint(Struct, frozen=True):
    """Shows whether a secret has changed since it was applied, without storing it.

    ``mac`` is HMAC-SHA256 (RFC 2104), in hexadecimal, under a key from outside the state; ``key_id``
    names that key, and fingerprints under different keys cannot be compared.
    """

    key_id: str
    mac: str
