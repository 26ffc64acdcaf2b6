"""The entries of ``--connect-to``, as text; :mod:`reconciler.mail.dial` reads them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def joined(given: Iterable[str], standing: Iterable[str]) -> tuple[str, ...]:
    """The given entries, and the default ones for other hosts and ports."""
    first = tuple(entries(given))
    taken = {entry.partition("=")[0] for entry in first}
    return (*first, *(item for item in entries(standing) if item.partition("=")[0] not in taken))


def entries(texts: Iterable[str]) -> Iterator[str]:
    """The entries in texts that hold one or several each."""
    return (part for text in texts for part in re.split(r"[,\s]+", text) if part)
