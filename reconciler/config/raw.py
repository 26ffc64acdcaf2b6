"""YAML documents before anybody has asked what they mean: plain values and their positions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from reconciler.config.positions import Positions
from reconciler.diagnostics import Diagnostic
from reconciler.model.resource import JSON

_LONGEST_SHOWN: Final = 40
_SHOWN_KEY: Final = re.compile(r"[a-z]+[0-9]?[a-z]?(_[a-z]+[0-9]?[a-z]?)*")


@dataclass(frozen=True, slots=True)
class RawDocument:
    """One YAML document. ``whole`` is false if something of it could not be kept in ``value``."""

    value: JSON
    file: str
    positions: Positions
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Composed:
    """What a file holds. ``readable`` is false if the reading had to stop before its end."""

    documents: tuple[RawDocument, ...]
    diagnostics: tuple[Diagnostic, ...]
    readable: bool = True


def showable(key: str, value: JSON) -> bool:
    """Whether a key may be repeated in a message.

    One that has no value, or is not words in lower case, may be a misplaced password, as in
    ``password: {hunter2}``.
    """
    return value is not None and len(key) <= _LONGEST_SHOWN and bool(_SHOWN_KEY.fullmatch(key))
