"""The audit of sending: every attempt is written into the stored state, and read from there."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from reconciler.app.stored import load_state, reading
from reconciler.errors import NotAuthorised
from reconciler.model.sending import SendingRecord

if TYPE_CHECKING:
    from datetime import timedelta

    from reconciler.app.actor import Actor
    from reconciler.app.workspace import Workspace
    from reconciler.model.sending import SendingFilter
    from reconciler.sending.outcome import Outcome
    from reconciler.state.base import SendingLog

_LONGEST = 500
"""Characters of a sentence that are kept: a server may say pages."""


class StoredJournal:
    """Implements :class:`reconciler.sending.outcome.Journal` in the stored state."""

    def __init__(self, log: SendingLog) -> None:
        self._log = log

    def record(self, outcome: Outcome) -> None:
        """Keep an attempt; raises StateError if that cannot be done."""
        self._log.record_sent(
            SendingRecord(
                id=_fresh_id(),
                at=outcome.at,
                actor=outcome.actor,
                actor_source=outcome.actor_source,
                connector=outcome.connector,
                host=outcome.host,
                message_id=outcome.message_id,
                sender=outcome.sender,
                from_address=outcome.from_address,
                recipients=outcome.recipients,
                accepted=outcome.accepted,
                size=outcome.size,
                result=outcome.result,
                code=int(outcome.code) if outcome.code.isdecimal() else None,
                enhanced=outcome.status,
                sentence=" ".join(outcome.sentence.split())[:_LONGEST],
                copy=outcome.copy,
            )
        )


def _fresh_id() -> str:
    """An id that nobody else has, and that sorts as time does: many mails go out within a second."""
    return f"{time.time_ns():016x}{secrets.token_hex(8)}"


def attempts(workspace: Workspace, wanted: SendingFilter, limit: int) -> tuple[SendingRecord, ...]:
    """The newest attempts to send that match, newest first."""
    with reading(workspace) as reader:
        return reader.sent(wanted, limit=limit)


def moment_before(age: timedelta) -> datetime:
    """The moment that is so long ago."""
    return datetime.now(UTC) - age


def prune(workspace: Workspace, actor: Actor, before: datetime) -> int:
    """Forget the attempts from before a moment, and tell how many they were.

    Raises NotAuthorised unless the actor is an Administrator, as a change of the roles would: an audit that
    its subjects may cut short is none.
    """
    administrators = load_state(workspace).snapshot.administrators
    if administrators and actor.name.casefold() not in administrators:
        raise NotAuthorised(
            f"{actor.name} may not prune the log of sending",
            hint="Administrators may; they are named in Roles.",
        )
    store = workspace.store()
    try:
        return store.forget_sent(before)
    finally:
        store.close()
