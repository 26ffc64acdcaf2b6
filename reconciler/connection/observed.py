"""What a test sees of a server besides whether the account works: what can change unnoticed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_NAME: Final = re.compile(r"[!-~]{1,64}")
_MOST: Final = 100
"""Names of one kind that are kept; no server has half as many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What a server offers to whoever has not signed in yet.

    ``tls_version`` and ``certificate_issuer`` are empty, and ``certificate_expires`` (in UTC) is None,
    without TLS. ``mechanisms`` are the ways to sign in and ``capabilities`` everything else, each sorted.
    ``size_limit`` is in octets (RFC 1870), None where the server tells none.
    """

    tls_version: str = ""
    certificate_issuer: str = ""
    certificate_expires: datetime | None = None
    mechanisms: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    size_limit: int | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """Mechanisms, other capabilities and the size limit, as a server has just listed them."""

    mechanisms: tuple[str, ...]
    capabilities: frozenset[str]
    size_limit: int | None = None


def names(words: Iterable[str], show: Callable[[str], str]) -> tuple[str, ...]:
    """Sort a server's words, without those that are none or that ``show`` would not show."""
    fit = sorted({word for word in words if _NAME.fullmatch(word) and show(word) == word})
    return tuple(fit[:_MOST])
