"""Problems of the configuration, in the style of a compiler."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.render.terminal import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.diagnostics import Diagnostic
    from reconciler.render.terminal import Style


def diagnostics(problems: Sequence[Diagnostic], style: Style) -> str:
    """One problem after the other, each with its place, rule and remedy."""
    lines = []
    for problem in problems:
        word = style.removed("error") if problem.is_error else style.changed("warning")
        place = f"{style.strong(visible(problem.location))}: " if problem.location else ""
        lines.append(
            f"{place}{word}: {visible(problem.message)} {style.faint(f'[{problem.rule}]')}"
        )
        if problem.hint:
            lines.append(f"    {visible(problem.hint)}")
    return "\n".join(lines)


def summary(problems: Sequence[Diagnostic]) -> str:
    """Count the problems: ``2 errors, 1 warning``."""
    errors = sum(problem.is_error for problem in problems)
    warnings = len(problems) - errors
    parts = []
    if errors:
        parts.append(f"{errors} error" + ("s" if errors > 1 else ""))
    if warnings:
        parts.append(f"{warnings} warning" + ("s" if warnings > 1 else ""))
    return ", ".join(parts)
