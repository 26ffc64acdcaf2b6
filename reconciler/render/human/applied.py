"""How an apply ended, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.render.human.plan import NO_CHANGES

if TYPE_CHECKING:
    from reconciler.apply.executor import Applied
    from reconciler.render.style import Style


def applied(outcome: Applied | None, style: Style) -> str:
    """The closing lines; None stands for an apply that nobody approved."""
    if outcome is None:
        return "Not applied."
    lines = []
    if outcome.revision is None:
        lines.append(NO_CHANGES if not outcome.left_out else "Nothing was left to apply.")
        retested = [item.connector for item in outcome.results if item.passed]
        if retested:
            lines.append(f"Tested again and found ready: {', '.join(retested)}.")
    else:
        counts = outcome.revision.counts
        done = f"{counts.added} added, {counts.changed} changed, {counts.destroyed} destroyed."
        lines.append(style.added(style.strong(f"Apply complete! Resources: {done}")))
        lines.append(f"The stored state is at serial {outcome.revision.serial}.")
    if outcome.left_out:
        names = ", ".join(outcome.left_out)
        lines.append(style.removed(f"Left out, because their test failed: {names}"))
    if outcome.withheld:
        held = ", ".join(str(address) for address in outcome.withheld)
        lines.append(style.removed(f"Not applied either, because it depends on them: {held}"))
    return "\n".join(lines)
