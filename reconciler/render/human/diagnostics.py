"""Problems of the configuration, in the style of a compiler."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from reconciler.render.terminal import visible
from reconciler.wording import BLOCKS, counted, listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.diagnostics import Diagnostic
    from reconciler.render.terminal import Style


def diagnostics(problems: Sequence[Diagnostic], style: Style) -> str:
    """One problem after the other, each with its place, rule and remedy; of very many, the errors first."""
    lines = []
    shown = first_problems(problems)
    for problem in shown:
        word = style.removed("error") if problem.is_error else style.changed("warning")
        place = f"{style.strong(visible(problem.location))}: " if problem.location else ""
        lines.append(
            f"{place}{word}: {visible(problem.message)} {style.faint(f'[{problem.rule}]')}"
        )
        if problem.hint:
            lines.append(f"    {visible(problem.hint)}")
    left = len(problems) - len(shown)
    if left:
        rules = Counter(problem.rule for problem in problems).most_common()
        names = listed([f"{count} of {rule}" for rule, count in rules])
        lines.append(f"\n… and {counted(left, 'more problem')}. Of all: {names}. JSON lists each.")
    return "\n".join(lines)


def first_problems(problems: Sequence[Diagnostic]) -> Sequence[Diagnostic]:
    """As many problems as can be read, in their order; warnings give way to errors."""
    if len(problems) <= BLOCKS:
        return problems
    kept = sorted(range(len(problems)), key=lambda place: not problems[place].is_error)[:BLOCKS]
    return [problems[place] for place in sorted(kept)]


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
