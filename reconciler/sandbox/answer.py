"""What a web server of the sandbox answers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to a form: an HTTP status, and what goes out as JSON."""

    status: int
    document: dict[str, str | int]
