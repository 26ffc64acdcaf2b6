"""Moments as text, for machines and for people; always in UTC."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


def instant(when: datetime) -> str:
    """An instant as machines read it (ISO 8601, UTC)."""
    return when.isoformat(timespec="seconds")


def minute(when: datetime) -> str:
    """An instant as people read it, to the minute, in UTC."""
    return when.strftime("%Y-%m-%d %H:%M")
