"""The answers of the sandbox's web servers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to a form: an HTTP status and a JSON body."""

    status: int
    document: dict[str, str | int]
