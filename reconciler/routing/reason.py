"""The rules that choose a connector for a mail, and those that refuse it."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Which rule chose the connector."""

    GLOBAL_POLICY = "global_policy"
    NAMED = "named"
    SENDER = "sender"
    FALLBACK = "fallback"


class RefusalReason(StrEnum):
    """Which rule refused the mail."""

    UNKNOWN_CONNECTOR = "unknown_connector"
    CANNOT_SEND = "cannot_send"
    NOT_PERMITTED = "not_permitted"
    NO_CONNECTOR = "no_connector"
