"""Preparing a mail: its route is decided, then it is composed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.errors import NotAuthorised, RouteRefused
from reconciler.routing.claims import AUTHOR_FIELDS, claimed
from reconciler.routing.decide import route
from reconciler.routing.keys import RoutingNeeds, needs_of
from reconciler.routing.reason import RefusalReason
from reconciler.routing.request import Refusal, RouteRequest
from reconciler.sending.message import Message, RawMessage
from reconciler.sending.raw import adopt, asked_of, values_of

if TYPE_CHECKING:
    from reconciler.model.connector import SaveSent
    from reconciler.routing.index import RoutingIndex
    from reconciler.sending.message import Prepared, Stamp


class SendRequest(Struct, frozen=True, kw_only=True):
    """A mail with the options of its sender.

    ``sender`` is the requested From; ``application`` handed the mail to the gateway, and is empty elsewhere.
    With ``all_or_none``, nobody gets a mail that the server refuses for some of its recipients.
    """

    message: Message | RawMessage
    actor: str
    sender: str | None = None
    connector: str | None = None
    reply_to: str | None = None
    save_sent: SaveSent | None = None
    application: str = ""
    all_or_none: bool = False


def request_of(request: SendRequest) -> RouteRequest:
    """The router's request; a raw mail may name its own sender."""
    sender, reply_to = request.sender, request.reply_to
    if isinstance(request.message, RawMessage):
        own, answers = asked_of(request.message)
        sender, reply_to = sender or own, reply_to or answers
    return RouteRequest(
        actor=request.actor, sender=sender, connector=request.connector, reply_to=reply_to
    )


_CLAIMED = (
    "A sender may not claim the address of a connector that they may not use, in any field or name."
)


def _author_texts(message: Message | RawMessage) -> tuple[str, ...]:
    """Return every text in a mail that names its author, or where replies go."""
    if isinstance(message, RawMessage):
        return values_of(message, AUTHOR_FIELDS)
    further = (value for field, value in message.headers if field.strip().lower() in AUTHOR_FIELDS)
    return (message.from_name, *further)


def routing_needs(request: SendRequest) -> RoutingNeeds:
    """Return what the route of a mail depends on; raises UsageError for an invalid mail."""
    return needs_of(request_of(request), _author_texts(request.message))


def prepare(request: SendRequest, index: RoutingIndex, stamp: Stamp) -> Prepared:
    """Decide the route and compose the mail. A pure function of its arguments.

    Raises NotAuthorised if the actor may not use the connector, RouteRefused if no connector may carry the
    mail for another reason, and UsageError for an invalid mail.
    """
    decision = route(request_of(request), index)
    if sentence := claimed(_author_texts(request.message), request.actor, index):
        raise NotAuthorised(sentence, hint=_CLAIMED)
    if isinstance(decision, Refusal):
        if decision.reason is RefusalReason.NOT_PERMITTED:
            raise NotAuthorised(decision.sentence, hint="`reconciler route` explains the decision.")
        raise RouteRefused(decision.sentence, hint="`reconciler route` explains the decision.")
    connector = index.connector(decision.connector)
    if connector is None:
        raise RouteRefused(f"there is no connector {decision.connector}")
    if isinstance(request.message, RawMessage):
        return adopt(request.message, decision, connector, stamp)
    from reconciler.sending.compose import compose  # noqa: PLC0415 - not for the mails of `sendmail`

    return compose(request.message, decision, connector, stamp)
