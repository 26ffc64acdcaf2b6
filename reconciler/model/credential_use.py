"""Where a secret goes: the destination, and an applied use of a reference there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

from reconciler.model.domain import with_a_label

if TYPE_CHECKING:
    from reconciler.model.fingerprint import Fingerprint
    from reconciler.model.secret_ref import SecretRef

HTTPS: Final = "https"
"""The ``security`` of a token endpoint."""

GATEWAY: Final = "gateway"
"""The ``host`` and ``security`` of an application's password: the gateway only compares it."""


_STRENGTH: Final = {"none": 0, "starttls": 1, "implicit": 2}

_PORTS: Final = frozenset({(143, 993), (25, 587), (25, 465), (587, 465), (2525, 587), (2525, 465)})
"""From one usual port of a protocol to the one for stronger TLS (RFC 8314)."""


class Destination(NamedTuple):
    """Who receives a credential: the user, host, port and protection.

    For an application's password, the gateway, and the user that it can send as. A tuple, like a use: a
    state remembers tens of thousands.
    """

    host: str
    port: int
    security: str
    username: str

    @property
    def host_name(self) -> str:
        """The host for rules; for a token endpoint, that of its URL."""
        return urlsplit(self.host).hostname or "" if self.security == HTTPS else self.host

    @property
    def place(self) -> str:
        """Host and port, or the URL of a token endpoint."""
        if self.security == HTTPS:
            return with_a_label(self.host)
        if self.security == GATEWAY:
            return "the gateway"
        host = f"[{self.host}]" if ":" in self.host else with_a_label(self.host)
        return f"{host}:{self.port}"

    def protects_better_than(self, other: Destination) -> bool:
        """Whether this is the same user and host with stronger TLS, at the same port or its usual successor.

        From none to STARTTLS to implicit TLS. No other change of a destination is known to be safe.
        """
        if (self.host, self.username) != (other.host, other.username):
            return False
        stronger = _STRENGTH.get(self.security, -1) > _STRENGTH.get(other.security, 3)
        return stronger and (self.port == other.port or (other.port, self.port) in _PORTS)

    def __str__(self) -> str:
        how = "" if self.security in (HTTPS, GATEWAY) else f" ({self.security})"
        return f"{self.place}{how} as {self.username}"


class CredentialUse(NamedTuple):
    """A reference at a destination where it was applied, or where a sign-in with it succeeded.

    ``identity`` is the canonical spelling of the reference at that time. ``value`` is a keyed MAC of
    the secret alone, None without a key: one secret under two references has one value.
    """

    reference: SecretRef
    identity: str
    destination: Destination
    value: Fingerprint | None = None
