"""What a client is told of its mail: replies of SMTP (RFC 5321), with enhanced codes (RFC 3463)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

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
"""What a client is told of a failure that nobody foresaw."""

_LONGEST: Final = 400
"""Characters of a text: a line of a reply has 512 octets at most (RFC 5321 section 4.5.3.1.5)."""

_OUR_SIGN_IN: Final = frozenset({"454", "530", "534", "535", "538"})
"""Replies about a sign-in, which servers give to a later command too: they judge the connector, not the mail."""


@dataclass(frozen=True, slots=True)
class MailReply:
    """A reply, and the result that it stands for."""

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
    """The provider has taken the mail, for all of its recipients."""
    text = f"Sent through {sent.route.connector} {sent.message_id}"
    return MailReply("250", "2.6.0", text, SendingResult.SENT)


def of_recipient(refused: RefusedRecipient) -> str:
    """What the provider has said of a recipient, who is refused without the others."""
    kind = "4" if refused.temporary else "5"
    code = refused.code if re.fullmatch("[45]5[0-9]", refused.code) else f"{kind}50"
    status = refused.status if refused.status.startswith(kind) else f"{kind}.1.0"
    said = refused.text.removeprefix(refused.status).strip()
    return f"{code} {status} {one_line(said)}"


def of_failure(error: Exception) -> MailReply:
    """Say why the provider has not taken it: 4yz where a queue should try again, 5yz where it should not.

    A mail that may have been delivered is 4yz too: a queue that repeats it risks a second copy, one that gives up
    risks that there is none (RFC 5321 section 4.5.3.2.6 and 6.1 prefer the first).
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
