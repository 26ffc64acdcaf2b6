"""How ``send`` and ``sendmail`` end after a signal: it depends on the outcome of the mail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.errors import DeliveryUncertain
from reconciler.sending.outcome import SendingInterrupted
from reconciler.signals import hold_signals

if TYPE_CHECKING:
    from reconciler.app.mailer import Mailer
    from reconciler.model.connector import SaveSent
    from reconciler.sending.message import Message, RawMessage
    from reconciler.sending.outcome import Sent


def send_to_the_end(
    mailer: Mailer,
    message: Message | RawMessage,
    *,
    sender: str | None = None,
    connector: str | None = None,
    reply_to: str | None = None,
    save_sent: SaveSent | None = None,
) -> Sent:
    """Send a mail and close the mailer; a mail that is out counts as sent, even if a signal follows.

    Raises what ``Mailer.send`` raises; DeliveryUncertain for a signal during the handover to the server, and
    KeyboardInterrupt for one before it, when nothing was sent.
    """
    sent = None
    try:
        with mailer:
            sent = mailer.send(
                message, sender=sender, connector=connector, reply_to=reply_to, save_sent=save_sent
            )
            hold_signals()
    except SendingInterrupted as interrupted:
        if interrupted.sent is not None:
            return interrupted.sent
        raise DeliveryUncertain(
            "interrupted while the mail was being transmitted: it may have been delivered",
            temporary=False,
            hint="Check whether it arrived before you send it again.",
        ) from None
    except KeyboardInterrupt:
        if sent is None:
            raise KeyboardInterrupt("nothing was sent") from None
    if sent is None:
        raise AssertionError("a mail was neither sent nor refused")
    return sent
