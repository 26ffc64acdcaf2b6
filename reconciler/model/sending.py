"""The record of an attempt to send mail: when, by whom and with what result, never the content."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from msgspec import Struct


class SendingResult(StrEnum):
    """How an attempt ended.

    ``partly`` went to some of its recipients. ``refused`` for good, by a server or before any was
    asked; ``temporary`` may succeed later. ``uncertain``: the connection broke after the message was
    transmitted; it may have been delivered, and is never resent automatically. Or a server accepted it,
    and the client of the gateway left before its answer, so that it may send it again.
    """

    SENT = "sent"
    PARTLY = "partly"
    REFUSED = "refused"
    TEMPORARY = "temporary"
    UNCERTAIN = "uncertain"


FINAL: Final = "+"
"""The suffix of the id of a record that replaces an earlier one of the same attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingRecord:
    """One attempt to send one message, as the journal receives it and the state keeps it.

    ``connector`` and ``host`` are those that carried it; ``sender`` is the requested From,
    ``from_address`` the one it went out with. ``recipients`` and ``accepted`` are numbers, ``size``
    is in octets. Unknown fields are empty or 0. ``code`` and ``enhanced`` are the server's reply
    (RFC 5321 and RFC 3463), ``code`` None where there was none. ``sentence`` describes the result
    in one line, ``copy`` is the status of the sent copy. ``application`` is the one that handed the mail to
    the gateway, ``asked_connector`` the connector that the request named, and ``reason`` why the route was
    taken. ``id`` is unique, and sorts by time what
    was recorded within one second; one that ends in ``FINAL`` says how the attempt ended that has
    the id before it.
    """

    id: str
    at: datetime
    actor: str
    actor_source: str
    result: SendingResult
    connector: str = ""
    host: str = ""
    message_id: str = ""
    sender: str = ""
    from_address: str = ""
    recipients: int = 0
    accepted: int = 0
    size: int = 0
    code: int | None = None
    enhanced: str = ""
    sentence: str = ""
    copy: str = ""
    application: str = ""
    asked_connector: str = ""
    reason: str = ""


class SendingFilter(Struct, frozen=True):
    """A filter of attempts; None or "" matches anything, and all fields must match."""

    since: datetime | None = None
    connector: str = ""
    actor: str = ""
    message_id: str = ""
    result: SendingResult | None = None
    application: str = ""

    def matches(self, record: SendingRecord) -> bool:
        """Whether an attempt matches."""
        return (
            (self.since is None or record.at >= self.since)
            and self.connector in ("", record.connector)
            and self.actor in ("", record.actor)
            and self.application in ("", record.application)
            and self.message_id in ("", record.message_id)
            and self.result in (None, record.result)
        )


EVERY_SENDING = SendingFilter()
"""Filters nothing out."""
