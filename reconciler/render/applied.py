"""The result of an apply as text, apart from its report: most applies write none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.render.human.plan import NO_CHANGES
from reconciler.wording import TO_ACT_ON, listed

if TYPE_CHECKING:
    from reconciler.apply.executor import Applied
    from reconciler.render.terminal import Style


def applied(outcome: Applied | None, style: Style) -> str:
    """The closing lines; None for an apply that nobody approved."""
    if outcome is None:
        return "Not applied."
    lines = []
    if outcome.revision is None:
        lines.append(NO_CHANGES if not outcome.left_out else "Nothing was left to apply.")
        retested = [item.connector for item in outcome.results if item.passed]
        if retested:
            lines.append(f"Tested again and found ready: {listed(retested)}.")
    else:
        counts = outcome.revision.counts
        done = f"{counts.added} added, {counts.changed} changed, {counts.destroyed} destroyed."
        lines.append(style.added(style.strong(f"Apply complete! Resources: {done}")))
        lines.append(f"Details saved. The stored state is at serial {outcome.revision.serial}.")
    if outcome.left_out:
        names = listed(outcome.left_out, TO_ACT_ON)
        lines.append(style.removed(f"Left out, because their test failed: {names}"))
    if outcome.withheld:
        held = listed(outcome.withheld, TO_ACT_ON)
        lines.append(style.removed(f"Also not applied, because it depends on them: {held}"))
    return "\n".join(lines)
