"""How ``send`` and ``sendmail`` end after a signal: it depends on the outcome of the mail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.cli.closing import MailOutcome, closing
from reconciler.sending.outcome import SendingInterrupted
from reconciler.signals import hold_signals, settle_signals

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.app.mailer import Mailer
    from reconciler.model.connector import SaveSent
    from reconciler.sending.message import Message, RawMessage
    from reconciler.sending.outcome import Sent


def send_to_the_end(
    mailer: Mailer,
    message: Message | RawMessage,
    *,
    nothing: int,
    uncertain: int,
    code: Callable[[Sent], int],
    sender: str | None = None,
    connector: str | None = None,
    reply_to: str | None = None,
    save_sent: SaveSent | None = None,
) -> Sent:
    """Send a mail and close the mailer; a mail that is out counts as sent, even if a signal follows.

    ``nothing``, ``uncertain`` and ``code`` are the exit codes for its outcomes. Raises what ``Mailer.send``
    raises, and KeyboardInterrupt for a signal before the mail was known to be sent.
    """
    outcome = MailOutcome(nothing, uncertain, lambda: mailer.has_handed_over)
    closing.mail = outcome
    sent = None
    try:
        with mailer:
            sent = mailer.send(
                message, sender=sender, connector=connector, reply_to=reply_to, save_sent=save_sent
            )
            hold_signals()
    except SendingInterrupted as interrupted:
        if interrupted.sent is None:
            raise
        sent = interrupted.sent
    except KeyboardInterrupt:
        if sent is None:
            raise
    settle_signals()
    if sent is None:
        raise AssertionError("a mail was neither sent nor refused")
    outcome.sent = code(sent)
    return sent
