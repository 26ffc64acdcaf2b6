"""``env:NAME``: a secret from an environment variable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.secrets.outcome import Flaw, Outcome, from_text

if TYPE_CHECKING:
    from collections.abc import Mapping


def fetch(target: str, *, environ: Mapping[str, str]) -> Outcome:
    """Look up the variable in ``environ``; its text is unchanged, newlines included."""
    text = environ.get(target)
    if text is None:
        return Flaw("is not set", f"Export {target} before you run the command.")
    return from_text(text)
