"""What is kept of an attempt to send mail: that it was made, by whom and how it ended, never what it said."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final


class SendingResult(StrEnum):
    """How an attempt ended.

    ``partly`` went to some of its recipients. ``refused`` for good, by a server or before any was asked;
    ``temporary`` may succeed later. ``uncertain`` broke off after the message was handed over: it may
    have been delivered, and is never sent again by itself.
    """

    SENT = "sent"
    PARTLY = "partly"
    REFUSED = "refused"
    TEMPORARY = "temporary"
    UNCERTAIN = "uncertain"


FINAL: Final = "+"
"""What the id of a record ends in that takes the place of an earlier one of the same attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingRecord:
    """One attempt to send one message: what its journal is given, and what the state keeps.

    ``connector`` and ``host`` are those that carried it; ``sender`` is the From that was asked for,
    ``from_address`` the one it went out with. ``recipients`` and ``accepted`` are numbers, ``size`` is in
    octets. What is not known is empty or 0. ``code`` and ``enhanced`` are the server's reply (RFC 5321 and
    RFC 3463), ``code`` None where there was none. ``sentence`` gives the end in one line, ``copy`` what
    became of the sent copy. ``id`` is unique, and sorts by time what was recorded within one second; one
    that ends in ``FINAL`` says how the attempt ended that has the id before it.
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


@dataclass(frozen=True, slots=True)
class SendingFilter:
    """Which attempts are asked for; what is None or "" says nothing, and all that is said must hold."""

    since: datetime | None = None
    connector: str = ""
    actor: str = ""
    message_id: str = ""
    result: SendingResult | None = None

    def matches(self, record: SendingRecord) -> bool:
        """Whether an attempt is one of those."""
        return (
            (self.since is None or record.at >= self.since)
            and self.connector in ("", record.connector)
            and self.actor in ("", record.actor)
            and self.message_id in ("", record.message_id)
            and self.result in (None, record.result)
        )


EVERY_SENDING = SendingFilter()
"""Filters nothing out."""
