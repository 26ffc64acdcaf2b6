"""The outcome of fetching a secret, as a value: the secret, or the reason for the failure.

Adapters return one of the two and never raise: so no traceback, no chained exception and no frame
that a debugger prints ever holds the text that was fetched.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from msgspec import Struct

from reconciler.secrets.base import Secret

SIZE_LIMIT = 64 * 1024
"""The largest secret, in octets. Keys and certificates have a few thousand."""


class Flaw(Struct, frozen=True):
    """Why a secret could not be fetched, and what to do about it. Neither text contains the value."""

    message: str
    hint: str = ""


EMPTY: Final = Flaw("is empty", "Set it, or leave the field out.")
"""A secret that was forgotten."""

Outcome: TypeAlias = Secret | Flaw
"""A secret, or the reason why it is missing."""


def from_octets(octets: bytes) -> Outcome:
    """Decode the output of a file or a command: UTF-8, without one trailing newline.

    Editors and ``echo`` put that newline there. A second one, and every blank, is kept: it may well be
    part of a password.
    """
    if len(octets) > SIZE_LIMIT:
        return Flaw(
            f"is larger than {SIZE_LIMIT // 1024} KiB", "Point the reference at the secret."
        )
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError:
        return Flaw("is not UTF-8 text", "Save it as UTF-8; binary secrets cannot be used.")
    for newline in ("\r\n", "\n"):
        if text.endswith(newline):
            return from_text(text.removesuffix(newline))
    return from_text(text)


def from_text(text: str) -> Outcome:
    """Check a text that is used as a secret."""
    if not text:
        return EMPTY
    if text.startswith("\ufeff"):
        return Flaw("starts with a byte order mark", "Save it as UTF-8 without one.")
    if "\0" in text:
        # SASL PLAIN separates its parts with NUL and allows none inside (RFC 4616 section 2).
        return Flaw("holds a NUL character", "Save it as UTF-8 text.")
    if not _is_unicode(text):
        return Flaw("is not UTF-8 text", "Set it in a UTF-8 locale.")
    return Secret(text)


def _is_unicode(text: str) -> bool:
    # An environment variable that is not UTF-8 arrives as surrogates, which no server understands.
    return not any("\ud800" <= character <= "\udfff" for character in text)
