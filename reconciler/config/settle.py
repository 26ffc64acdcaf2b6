"""All problems in the order of the files, each told once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.diagnostics import Diagnostic


def settled(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Sort problems by place, and keep one where YAML and schema both object to the same value.

    That is the first, as what follows from it is no news, but for a secret in plain text.
    """
    taken: dict[tuple[str, int, int], int] = {}
    kept: list[Diagnostic] = []
    for item in diagnostics:
        place = (item.file, item.line, item.column)
        if item.rule.startswith("yaml/"):
            taken[place] = len(kept)
        elif place in taken and item.rule.startswith(("schema/", "secret/")):
            if item.rule == "secret/plain-text":
                kept[taken[place]] = item
            continue
        kept.append(item)
    return tuple(sorted(kept, key=lambda item: (item.file, item.line, item.column)))
