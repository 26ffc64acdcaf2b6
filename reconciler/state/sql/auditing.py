"""Reading and pruning the audit of attempts to sign in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from reconciler.errors import StateCorrupt
from reconciler.model.sign_in_attempt import (
    EVERY_ATTEMPT,
    AttemptFilter,
    AttemptOutcome,
    SignInAttempt,
)
from reconciler.state import decoding
from reconciler.state.sql import tables
from reconciler.state.sql.streaming import streamed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from sqlalchemy import Connection


def attempts(
    connection: Connection, chosen: AttemptFilter = EVERY_ATTEMPT, limit: int | None = None
) -> Iterator[SignInAttempt]:
    """Yield the newest attempts that match, newest first; all of them without a limit."""
    columns = tables.attempts.c
    query = select(tables.attempts).order_by(columns.at.desc(), columns.id.desc()).limit(limit)
    if chosen.since is not None:
        query = query.where(columns.at >= chosen.since)
    if chosen.connector:
        query = query.where(columns.connector == chosen.connector)
    if chosen.outcome is not None:
        query = query.where(columns.outcome == chosen.outcome.value)
    return (
        SignInAttempt(
            id=row.id,
            at=row.at,
            actor=row.actor,
            actor_source=row.actor_source,
            command=row.command,
            connector=row.connector,
            protocol=row.protocol,
            reference=decoding.reference(row.reference),
            identity=row.identity,
            destination=decoding.destination(row),
            outcome=outcome(row.outcome),
            error_class=row.error_class,
        )
        for row in streamed(connection, query, interruptible=True)
    )


def forget_attempts(connection: Connection, before: datetime) -> int:
    """Remove the attempts made before a moment, and return their number."""
    return connection.execute(delete(tables.attempts).where(tables.attempts.c.at < before)).rowcount


def outcome(text: str) -> AttemptOutcome:
    """Read how an attempt ended; raises StateCorrupt."""
    try:
        return AttemptOutcome(text)
    except ValueError:
        raise StateCorrupt(
            f"the table attempts holds the unknown outcome {text[:40]!r}",
            hint="restore the state from a backup",
        ) from None
