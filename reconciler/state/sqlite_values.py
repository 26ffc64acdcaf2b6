"""Values as SQLite keeps them, and places for them in a statement."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from reconciler.errors import StateCorrupt


def marks(number: int) -> str:
    """So many places for values in a statement."""
    return ", ".join("?" * number)


def in_utc(moment: datetime) -> datetime:
    """A moment in UTC; raises ValueError for one without a time zone."""
    if moment.tzinfo is None:
        raise ValueError("a moment must have a time zone")
    return moment.astimezone(UTC)


def to_sqlite(value: Any) -> Any:
    """A value as SQLite keeps it: a moment as text, in UTC and of fixed length, so that it sorts by time.

    Raises ValueError for a moment without a time zone.
    """
    if not isinstance(value, datetime):
        return value
    return in_utc(value).isoformat(timespec="microseconds")


def moment_in(text: Any) -> datetime:
    """Read a moment back; raises StateCorrupt."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise unexpected(text, "a point in time") from None


def unexpected(value: object, what: str) -> StateCorrupt:
    """The error for a stored value that is not ``what`` its column holds."""
    return StateCorrupt(
        f"the state holds {str(value)[:40]!r} where {what} is expected",
        hint="restore the state from a backup",
    )
