"""The gateway's settings: where it listens, and its limits."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Final, TypeAlias

from msgspec import Struct

from reconciler.model.secret_ref import SecretRef

DEFAULT_SIZE: Final = 25_000_000
"""The maximum size of a mail in octets: the large providers' limit, less base64 overhead."""


PemSource: TypeAlias = Path | SecretRef
"""Where a text in PEM (RFC 7468) is."""


class Protection(StrEnum):
    """How connections to a listener are protected (RFC 8314)."""

    IMPLICIT = "implicit"
    STARTTLS = "starttls"
    NONE = "none"


class ListenAddress(Struct, frozen=True):
    """An address and a port to listen on; an empty host is every interface, port 0 a free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class GatewaySettings(Struct, frozen=True, kw_only=True):
    """The gateway's options.

    Sizes are in octets, times in seconds. ``at_once`` limits the number of pending mails, and with
    ``size_limit`` the memory. ``idle`` limits how long a client may be silent, and how long it may take
    for one mail. ``ending`` limits how long pending mails may take after a signal to end.
    """

    listeners: tuple[tuple[Protection, ListenAddress], ...]
    status: ListenAddress | None
    host_name: str
    certificate: PemSource | None = None
    key: PemSource | None = None
    size_limit: int = DEFAULT_SIZE
    at_once: int = 50
    connections: int = 1000
    connections_each: int = 100
    recipients: int = 100
    idle: float = 300.0
    ending: float = 60.0
