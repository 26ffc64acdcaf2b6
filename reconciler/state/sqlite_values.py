"""Values as SQLite keeps them, and places for them in a statement."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any


def marks(number: int) -> str:
    """So many places for values in a statement."""
    return ", ".join("?" * number)


def to_sqlite(value: Any) -> Any:
    """A value as SQLite keeps it: a moment as text, in UTC and of fixed length, so that it sorts by time.

    Raises ValueError for a moment without a time zone.
    """
    if not isinstance(value, datetime):
        return value
    if value.tzinfo is None:
        raise ValueError("a moment must have a time zone")
    return value.astimezone(UTC).isoformat(timespec="microseconds")
