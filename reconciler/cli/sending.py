"""How ``send`` and ``sendmail`` end when a signal comes in the middle: by what became of the mail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.errors import DeliveryUncertain
from reconciler.sending.outcome import SendingInterrupted

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
    """Send a mail; a mail that is out counts as sent, whatever signal came after that.

    Raises what ``Mailer.send`` raises; DeliveryUncertain where a signal came while the server was given the
    mail, and KeyboardInterrupt where one came before, so that nothing was sent.
    """
    try:
        return mailer.send(
            message, sender=sender, connector=connector, reply_to=reply_to, save_sent=save_sent
        )
    except SendingInterrupted as interrupted:
        if interrupted.sent is not None:
            return interrupted.sent
        raise DeliveryUncertain(
            "interrupted while the mail was being transmitted: it may have been delivered",
            temporary=False,
            hint="Check whether it arrived before you send it again.",
        ) from None
    except KeyboardInterrupt:
        raise KeyboardInterrupt("nothing was sent") from None
