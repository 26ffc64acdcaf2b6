"""The audit of attempts to sign in, and the memory of where secrets went."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, insert, select, update

from reconciler.errors import StateCorrupt
from reconciler.model.credential_use import CredentialUse
from reconciler.model.sign_in_attempt import (
    EVERY_ATTEMPT,
    AttemptFilter,
    AttemptOutcome,
    SignInAttempt,
)
from reconciler.state import decoding, specs
from reconciler.state.sql import tables
from reconciler.state.sql.streaming import streamed, write_many

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from sqlalchemy import Connection, Executable


def record_attempts(connection: Connection, attempts: Iterable[SignInAttempt]) -> None:
    """Add attempts."""
    connection.execute(insert(tables.attempts), [_row(item) for item in attempts])


def finish_attempts(connection: Connection, attempts: tuple[SignInAttempt, ...]) -> None:
    """Record how attempts ended, and remember where sign-ins succeeded."""
    ended = update(tables.attempts).where(tables.attempts.c.id == bindparam("of"))
    connection.execute(
        ended.values(outcome=bindparam("ending"), error_class=bindparam("reason")),
        [
            {"of": item.id, "ending": item.outcome.value, "reason": item.error_class}
            for item in attempts
        ],
    )
    remember(
        connection,
        (
            (CredentialUse(item.reference, item.identity, item.destination), item.at)
            for item in attempts
            if item.outcome is AttemptOutcome.SIGNED_IN
        ),
    )


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


def remember(connection: Connection, uses: Iterable[tuple[CredentialUse, datetime]]) -> None:
    """Add the uses of secrets that are not remembered yet, with their times."""
    rows = [{**specs.use_row(use), "at": at} for use, at in uses]
    write_many(connection, _insert_new(connection), rows)


def _insert_new(connection: Connection) -> Executable:
    """Insert uses that are not there yet. Only the dialect of the connection is loaded."""
    if connection.dialect.name == "sqlite":
        from sqlalchemy.dialects import sqlite  # noqa: PLC0415 - each takes 20 ms

        return sqlite.insert(tables.credential_uses).on_conflict_do_nothing()
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - as above

    return postgresql.insert(tables.credential_uses).on_conflict_do_nothing()


def outcome(text: str) -> AttemptOutcome:
    """Read how an attempt ended; raises StateCorrupt."""
    try:
        return AttemptOutcome(text)
    except ValueError:
        raise StateCorrupt(
            f"the table attempts holds the unknown outcome {text[:40]!r}",
            hint="restore the state from a backup",
        ) from None


def _row(item: SignInAttempt) -> dict[str, Any]:
    place = item.destination
    return {
        "id": item.id,
        "at": item.at,
        "actor": item.actor,
        "actor_source": item.actor_source,
        "command": item.command,
        "connector": item.connector,
        "protocol": item.protocol,
        "reference": str(item.reference),
        "identity": item.identity,
        "host": place.host,
        "port": place.port,
        "security": place.security,
        "username": place.username,
        "outcome": item.outcome.value,
        "error_class": item.error_class,
    }
