"""A mail that is ready to go: its way, its envelope, and its octets."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from reconciler.mail.smtp import Envelope
from reconciler.routing.request import Route

TOKEN_HEADER = "X-Reconciler-ID"  # noqa: S105 - the name of a header field
"""Finds a copy even where a server has replaced the Message-ID, as Exchange and Amazon SES may."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A mail with its route.

    ``content`` is what is sent. ``copy`` is what is filed: the same with Bcc, which the sender may see and
    receivers may not. Lines end in CRLF. ``seven_bit`` is ``content`` for a server that takes nothing beyond
    ASCII, where that is another text.
    """

    route: Route
    envelope: Envelope
    message_id: str
    token: str
    at: datetime
    content: bytes
    copy: bytes
    seven_bit: bytes | None = None
