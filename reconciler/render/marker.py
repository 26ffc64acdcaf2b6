"""The first line of a comment, by which a bot finds what it wrote before."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final
from urllib.parse import quote

_LONGEST: Final = 100


def marker(command: str, project: str, environment: str) -> str:
    """An HTML comment, invisible to readers; equal only for equal names."""
    return (
        f"<!-- reconciler:{command} project={_word(project)} environment={_word(environment)} -->"
    )


def _word(text: str) -> str:
    # An HTML comment may not contain "--" or ">".
    word = re.sub("-(?=-)|-$", "%2D", quote(text, safe="", errors="backslashreplace"))
    if len(word) <= _LONGEST:
        return word
    return f"sha256:{sha256(text.encode(errors='backslashreplace')).hexdigest()}"
