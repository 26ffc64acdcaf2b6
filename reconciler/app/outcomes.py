"""What the journal is told of an attempt to send."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from reconciler.errors import DeliveryUncertain, ReconcilerError, SendFailed, UsageError
from reconciler.model.sending import SendingResult
from reconciler.sending.outcome import Outcome, Sent
from reconciler.sending.prepare import request_of

if TYPE_CHECKING:
    from reconciler.app.actor import Actor
    from reconciler.sending.prepare import Wish
    from reconciler.sending.prepared import Prepared


def of_sent(sent: Sent, wish: Wish, actor: Actor) -> Outcome:
    """A mail that was taken, for some of its recipients at least."""
    refused = next(iter(sent.refused), None)
    return Outcome(
        at=sent.at,
        actor=wish.actor,
        actor_source=actor.source,
        result=SendingResult.PARTLY if refused else SendingResult.SENT,
        connector=sent.route.connector,
        host=sent.host,
        message_id=sent.message_id,
        sender=sent.route.original_from or sent.route.from_address,
        from_address=sent.route.from_address,
        recipients=len(sent.accepted) + len(sent.refused),
        accepted=len(sent.accepted),
        size=sent.size,
        code=refused.code if refused else sent.reply.partition(" ")[0],
        status=refused.status if refused else "",
        sentence=f"refused for {len(sent.refused)}: {refused}" if refused else "",
        copy=sent.copy.fate,
    )


def of_failure(
    error: BaseException, wish: Wish, actor: Actor, *, mail: Prepared | None, host: str
) -> Outcome:
    """A mail that was not taken, or of which nobody knows; ``mail`` is None if it got no route."""
    failed = error if isinstance(error, SendFailed) else None
    result = SendingResult.REFUSED
    if isinstance(error, DeliveryUncertain) or not isinstance(error, ReconcilerError):
        result = SendingResult.UNCERTAIN  # interrupted at whatever point
    elif failed is not None and failed.temporary:
        result = SendingResult.TEMPORARY
    known = Outcome(
        at=datetime.now(UTC).replace(microsecond=0),
        actor=wish.actor,
        actor_source=actor.source,
        result=result,
        connector=wish.connector or "",
        sender=_sender(wish),
        code=failed.code if failed else "",
        status=failed.status if failed else "",
        sentence=error.message if isinstance(error, ReconcilerError) else "interrupted",
    )
    if mail is None:
        return known
    return replace(
        known,
        at=mail.at,
        connector=mail.route.connector,
        host=host,
        message_id=mail.message_id,
        sender=mail.route.original_from or mail.route.from_address,
        from_address=mail.route.from_address,
        recipients=len(mail.envelope.recipients),
        size=len(mail.content),
    )


def _sender(wish: Wish) -> str:
    """Who was asked for; a whole mail says so itself."""
    try:
        return request_of(wish).sender or ""
    except UsageError:  # it is no mail at all
        return ""
