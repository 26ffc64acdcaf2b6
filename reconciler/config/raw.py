"""YAML documents before validation: plain values and their positions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from reconciler.config.positions import Positions
from reconciler.diagnostics import Diagnostic
from reconciler.model.resource import JSON

MAX_FOR_REFERENCE: Final = 64 * 1024
"""The longest YAML text for the slow parser that knows all of YAML, in characters: it takes two seconds."""

_LONGEST_SHOWN: Final = 40
_SHOWN_KEY: Final = re.compile(r"[a-z]+[0-9]?[a-z]?(_[a-z]+[0-9]?[a-z]?)*")


@dataclass(frozen=True, slots=True)
class RawDocument:
    """One YAML document. ``whole`` is false if ``value`` lacks a part of the document."""

    value: JSON
    file: str
    positions: Positions
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Composed:
    """The content of a file. ``readable`` is false if reading stopped before the end."""

    documents: tuple[RawDocument, ...]
    diagnostics: tuple[Diagnostic, ...]
    readable: bool = True


def showable(key: str, value: JSON) -> bool:
    """Whether a message may quote a key.

    One without a value, or not in lower case, may be a misplaced password, as in
    ``password: {hunter2}``.
    """
    return value is not None and len(key) <= _LONGEST_SHOWN and bool(_SHOWN_KEY.fullmatch(key))
