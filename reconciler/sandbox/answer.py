"""The answers of the sandbox's web servers."""

from __future__ import annotations

from msgspec import Struct


class Answer(Struct, frozen=True):
    """An answer to a form: an HTTP status and a JSON body."""

    status: int
    document: dict[str, str | int]
