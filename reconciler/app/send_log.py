"""The audit of sending: records every attempt in the stored state, and reads it back."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from reconciler.app.audit import Pruned, pruning
from reconciler.errors import (
    DeliveryUncertain,
    ReconcilerError,
    SendFailed,
    UsageError,
)
from reconciler.model.sending import SendingRecord, SendingResult
from reconciler.sending.outcome import SendingInterrupted
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.app.actor import Actor
    from reconciler.app.workspace import Workspace
    from reconciler.model.sending import SendingFilter
    from reconciler.sending.message import Prepared
    from reconciler.sending.outcome import Sent
    from reconciler.sending.prepare import SendRequest
    from reconciler.state.base import MailState

_LONGEST = 500
"""The maximum length of a stored sentence: servers may send pages."""


class StoredJournal:
    """Implements HandoverJournal and CopyJournal of :mod:`reconciler.sending.outcome` in the stored state."""

    def __init__(self, log: MailState) -> None:
        self._log = log

    def record(self, record: SendingRecord) -> None:
        """Keep an attempt; raises StateError if that cannot be done."""
        self._log.record_sent(record)

    def handing_over(self, record: SendingRecord) -> None:
        """Keep a mail that is about to be handed to a server.

        Raises StateError if that cannot be done.
        """
        self._log.record_sent(record)

    def copied(self, record: SendingRecord) -> None:
        """Keep what happened to a copy; raises StateError if that cannot be done."""
        self._log.record_sent(record)


def attempts(
    workspace: Workspace, matching: SendingFilter, limit: int
) -> tuple[SendingRecord, ...]:
    """The newest attempts to send that match, newest first."""
    with workspace.reading() as reader:
        return reader.sent(matching, limit=limit)


@contextmanager
def each_attempt(
    workspace: Workspace, matching: SendingFilter, limit: int
) -> Iterator[Iterator[SendingRecord]]:
    """The same, one at a time, without a limit."""
    with workspace.reading() as reader, reader.each_sent(matching, limit=limit) as found:
        yield found


def prune(workspace: Workspace, actor: Actor, before: datetime) -> Pruned:
    """Forget the attempts from before a moment; raises NotAuthorised."""
    with pruning(workspace, actor, "the log of sending") as store:
        return Pruned(store.forget_sent(before), store.give_space_back())


def of_handover(
    attempt: str, request: SendRequest, actor: Actor, *, mail: Prepared, host: str
) -> SendingRecord:
    """A mail that is about to be handed to a server; its final log entry if nothing follows."""
    return replace(
        of_failure(SendingInterrupted(), attempt, request, actor, mail=mail, host=host),
        sentence="it was being handed over, and nothing more is known",
    )


def of_sent(sent: Sent, attempt: str, request: SendRequest, actor: Actor) -> SendingRecord:
    """A mail that was accepted for at least some recipients."""
    refused = next(iter(sent.refused), None)
    return SendingRecord(
        id=attempt,
        at=sent.at,
        actor=request.actor,
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
        code=_code(refused.code if refused else sent.reply.partition(" ")[0]),
        enhanced=refused.status if refused else "",
        sentence=_short(f"refused for {len(sent.refused)}: {refused}") if refused else "",
        copy=sent.copy.status,
        application=request.application,
        asked_connector=sent.route.asked,
        reason=sent.route.reason,
    )


def untold(record: SendingRecord) -> SendingRecord:
    """Mark an accepted mail as uncertain: the application does not know, and may send it again."""
    known = f": {record.sentence}" if record.sentence else ""
    return replace(
        record,
        result=SendingResult.UNCERTAIN,
        sentence=_short(
            f"{record.host} accepted it, but {record.application} left before it was told, and may send"
            f" it again{known}"
        ),
    )


def of_failure(
    error: BaseException,
    attempt: str,
    request: SendRequest,
    actor: Actor,
    *,
    mail: Prepared | None,
    host: str,
) -> SendingRecord:
    """A mail that was refused, or may have been delivered; ``mail`` is None without a route."""
    failed = error if isinstance(error, SendFailed) else None
    known = SendingRecord(
        id=attempt,
        at=datetime.now(UTC).replace(microsecond=0),
        actor=request.actor,
        actor_source=actor.source,
        result=_result(error, request),
        connector=request.connector or "",
        sender=_sender(request),
        code=_code(failed.code) if failed else None,
        enhanced=failed.status if failed else "",
        sentence=_short(
            error.message if isinstance(error, ReconcilerError) else "interrupted by a signal"
        ),
        application=request.application,
        asked_connector=request.connector or "",
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
        asked_connector=mail.route.asked,
        reason=mail.route.reason,
    )


def _result(error: BaseException, request: SendRequest) -> SendingResult:
    """How the attempt ended; for an application, as the gateway answered it."""
    if isinstance(error, DeliveryUncertain | SendingInterrupted):
        return SendingResult.UNCERTAIN
    if request.application and isinstance(error, Exception):
        from reconciler.gateway.answers import of_failure as told_of  # noqa: PLC0415 - for the gateway alone

        return told_of(error).result
    if isinstance(error, KeyboardInterrupt) or (isinstance(error, SendFailed) and error.temporary):
        return SendingResult.TEMPORARY
    return SendingResult.REFUSED


def _code(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() else None


def _short(sentence: str) -> str:
    return " ".join(sentence.split())[:_LONGEST]


def _sender(request: SendRequest) -> str:
    """The requested sender; a raw message names it itself."""
    from reconciler.sending.prepare import request_of  # noqa: PLC0415 - reading the log needs no smtplib

    try:
        return request_of(request).sender or ""
    except UsageError:  # it is not a mail at all
        return request.sender or ""
