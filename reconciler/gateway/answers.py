"""The SMTP replies to a client about its mail (RFC 5321), with enhanced codes (RFC 3463)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from reconciler.errors import (
    AccountBusy,
    DeliveryUncertain,
    NotAuthorised,
    RouteRefused,
    SecretError,
    SendFailed,
    StateError,
    UsageError,
)
from reconciler.model.sending import SendingResult

if TYPE_CHECKING:
    from reconciler.sending.outcome import RefusedRecipient, Sent

FAULT: Final = "The gateway has failed"
"""The reply for an unforeseen failure."""

_LONGEST: Final = 400
"""The maximum length of a text: a reply line has 512 octets at most (RFC 5321 section 4.5.3.1.5)."""

_OUR_SIGN_IN: Final = frozenset({"454", "530", "534", "535", "538"})
"""Replies about a sign-in, even to a later command: they concern the connector, not the mail."""


class MailReply(Struct, frozen=True):
    """A reply, and the result that it reports."""

    code: str
    status: str
    text: str
    result: SendingResult

    def __str__(self) -> str:
        return f"{self.code} {self.status} {one_line(self.text)}"


def one_line(text: str) -> str:
    """A text that fits into a reply: one line of printable ASCII."""
    plain = " ".join(text.split()).encode("ascii", "backslashreplace").decode()
    return re.sub(r"[^ -~]", "?", plain)[:_LONGEST]


def of_sent(sent: Sent) -> MailReply:
    """The provider has accepted the mail for all of its recipients."""
    text = f"Sent through {sent.route.connector} {sent.message_id}"
    return MailReply("250", "2.6.0", text, SendingResult.SENT)


def of_recipient(refused: RefusedRecipient) -> str:
    """The provider's reply to a single rejected recipient."""
    kind = "4" if refused.temporary else "5"
    code = refused.code if re.fullmatch("[45]5[0-9]", refused.code) else f"{kind}50"
    status = refused.status if refused.status.startswith(kind) else f"{kind}.1.0"
    said = refused.text.removeprefix(refused.status).strip()
    return f"{code} {status} {one_line(said)}"


def of_failure(error: Exception) -> MailReply:
    """Say why the provider did not accept it: 4yz if a queue should retry, 5yz if not.

    A mail that may have been delivered gets 4yz too: retrying risks a duplicate, giving up
    risks losing it (RFC 5321 section 4.5.3.2.6 and 6.1 prefer the former).
    """
    match error:
        case DeliveryUncertain():
            text = f"It may have been delivered: {error.message}"
            return MailReply("451", "4.4.2", text, SendingResult.UNCERTAIN)
        case AccountBusy():
            return MailReply("451", error.status or "4.4.5", error.message, SendingResult.TEMPORARY)
        case SendFailed():
            return _of_send_failed(error)
        case NotAuthorised() | RouteRefused() | UsageError():
            status = "5.6.0" if isinstance(error, UsageError) else "5.7.1"
            return MailReply("550", status, error.message, SendingResult.REFUSED)
        case SecretError() | StateError():
            what = "a secret of the connector" if isinstance(error, SecretError) else "the state"
            text = f"The gateway cannot read {what}"
            return MailReply("451", "4.3.5", text, SendingResult.TEMPORARY)
        case _:
            return MailReply("451", "4.3.0", FAULT, SendingResult.TEMPORARY)


def _of_send_failed(error: SendFailed) -> MailReply:
    if error.temporary or error.before_mail or error.code in _OUR_SIGN_IN:
        code = error.code if re.fullmatch("45[0-9]", error.code) else "451"
        status = error.status if error.status.startswith("4.") else "4.3.0"
        return MailReply(code, status, error.message, SendingResult.TEMPORARY)
    code = error.code if re.fullmatch("55[0-9]", error.code) else "550"
    status = error.status if error.status.startswith("5.") else "5.0.0"
    return MailReply(code, status, error.message, SendingResult.REFUSED)
