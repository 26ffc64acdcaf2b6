"""Where a secret goes: the destination, and a use of a reference there that was applied once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from reconciler.model.domain import with_a_label
from reconciler.model.fingerprint import Fingerprint
from reconciler.model.secret_ref import SecretRef

HTTPS: Final = "https"
"""The ``security`` of a token endpoint."""

GATEWAY: Final = "gateway"
"""The ``host`` and ``security`` of an application's password: the gateway compares it and sends it nowhere."""


@dataclass(frozen=True, slots=True, order=True)
class Destination:
    """Who is told a credential: as which user, at which host and port, protected how.

    For the password of an application, the gateway, and the user whose mail it opens.
    """

    host: str
    port: int
    security: str
    username: str

    @property
    def host_name(self) -> str:
        """The host that rules are about; for a token endpoint, the one of its URL."""
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

    def __str__(self) -> str:
        how = "" if self.security in (HTTPS, GATEWAY) else f" ({self.security})"
        return f"{self.place}{how} as {self.username}"


@dataclass(frozen=True, slots=True)
class CredentialUse:
    """A reference at a destination where it was applied, or where a sign-in with it succeeded.

    ``identity`` is the one name of all spellings of the reference, as it was then. ``value`` is a keyed MAC
    of the secret alone, None where no key was set: one secret under two references has one value.
    """

    reference: SecretRef
    identity: str
    destination: Destination
    value: Fingerprint | None = None
