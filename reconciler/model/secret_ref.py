"""References to secrets: where to fetch a value, never the value itself."""

from __future__ import annotations

import re
import sys
from typing import Self

from msgspec import Struct

REFERENCE_PATTERN = r"^[a-z][a-z0-9-]{0,31}:[^\s\uFEFF\x00-\x1F\x7F][^\x00-\x1F\x7F]{0,999}$"
"""What a reference looks like: a scheme, a colon, and a target that does not start with a blank."""

_WHOLE = re.compile(REFERENCE_PATTERN.removeprefix("^").removesuffix("$"))


class SecretRef(Struct, frozen=True, order=True):
    """``env:SUPPORT_PASSWORD``: a scheme that says how, and a target that says what to fetch.

    A reference is not a secret and is shown in plans; its value is never shown.
    """

    scheme: str
    target: str

    def __str__(self) -> str:
        return f"{self.scheme}:{self.target}"

    @classmethod
    def found_in(cls, text: str | None) -> Self | None:
        """Parse a reference; None for any other text, and for None."""
        if text is None or ":" not in text:
            return None
        return cls.parse(text) if _WHOLE.fullmatch(text) else None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``scheme:target``.

        Raises ValueError, with a message that does not repeat the text: a text in place of a
        reference is most likely a password.
        """
        if not _WHOLE.fullmatch(text):
            raise ValueError("must be a reference such as env:NAME or file:/path")
        scheme, _, target = text.partition(":")
        return cls(sys.intern(scheme), target)  # few schemes, but references by the ten thousand
