"""``env:NAME``: a secret from an environment variable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.secrets.outcome import EMPTY, Flaw, Outcome, from_text

if TYPE_CHECKING:
    from collections.abc import Mapping


def fetch(target: str, *, environ: Mapping[str, str]) -> Outcome:
    """Look up the variable in ``environ``; its text is unchanged, newlines included."""
    text = environ.get(target)
    return _not_set(target) if text is None else from_text(text)


def absence(target: str, *, environ: Mapping[str, str]) -> Flaw | None:
    """Say what is wrong if the variable is not set, or is empty, without revealing its text."""
    if target not in environ:
        return _not_set(target)
    return None if environ[target] else EMPTY


def _not_set(target: str) -> Flaw:
    return Flaw("is not set", f"Export {target} before you run the command.")
