"""How deep a live test goes."""

from __future__ import annotations

from enum import StrEnum


class Depth(StrEnum):
    """Where a live test stops, from the shallowest to the deepest."""

    SECRET = "secret"  # noqa: S105 - the name of a stage
    DNS = "dns"
    TCP = "tcp"
    TLS = "tls"
    CAPABILITIES = "capabilities"
    AUTHENTICATION = "authentication"
    MAILBOX = "mailbox"
    ENVELOPE = "envelope"
