"""The protocols that a connector has accounts for."""

from __future__ import annotations

from enum import StrEnum


class Protocol(StrEnum):
    """A protocol, under the name that its account has in a connector."""

    IMAP = "imap"
    SMTP = "smtp"
