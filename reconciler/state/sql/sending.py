"""Writing and pruning the audit of sending."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, func, insert, select

from reconciler.state.sql import reading, tables
from reconciler.values import members

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from reconciler.model.sending import SendingRecord


def record(connection: Connection, sent: SendingRecord) -> None:
    """Add one attempt to send."""
    values = members(sent)
    connection.execute(_ADDITION, values | {"result": sent.result.value})


_ADDITION = insert(tables.sent)
"""Built once: building it for every mail would take longer than the insert."""


def forget(connection: Connection, before: datetime) -> int:
    """Remove the attempts to send made before a moment, and return their number."""
    old = tables.sent.c.at < before
    attempts: int = connection.execute(
        select(func.count()).select_from(tables.sent).where(old, reading.is_ending())
    ).scalar_one()
    connection.execute(delete(tables.sent).where(old))
    return attempts
