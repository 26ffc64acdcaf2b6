"""Who sends as whom, before and after: the part of a plan that security people read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.render.table import table
from reconciler.routing.request import Reason

if TYPE_CHECKING:
    from reconciler.plan.planner import Plan
    from reconciler.render.style import Style
    from reconciler.routing.table import EffectiveRoute

_ALL = 25
"""Up to so many senders the unchanged ones are shown too."""

_WHY = {
    Reason.GLOBAL_POLICY: "global policy",
    Reason.FALLBACK: "fallback",
    Reason.NAMED: "named",
    Reason.SENDER: "its own connector",
}


def routes(plan: Plan, style: Style) -> str:
    """A row for every sender, marked where something changes, and how it was before."""
    before = {row.sender.casefold(): row for row in plan.routes_before}
    after = {row.sender.casefold(): row for row in plan.routes_after}
    first = not plan.serial
    rows: list[tuple[str, ...]] = []
    same = 0
    for key in dict.fromkeys((*after, *before)):
        old, new = before.get(key), after.get(key)
        mark = _mark(old, new, first=first)
        if mark == " " and len(after) > _ALL:
            same += 1
            continue
        row = new or old
        if row is None:
            continue
        rows.append((mark, row.sender, _as(new), _why(new), row.audience.label if new else ""))
        if mark == "~" and old is not None:
            rows.append(("", "  was", _as(old), _why(old), old.audience.label))
    if not rows:
        return ""
    header = ("", "Mail from", "goes out as", "through", "for")
    lines = table(header, rows, style.width - 2)
    if max(len(line) for line in lines) > style.width - 2:
        lines = _stacked(rows)
    dressed = [f"  {_dress(line, style)}" for line in lines]
    if same:
        dressed.append(style.faint(f"  and {same} senders as before"))
    return "\n".join([style.strong("Who sends as whom after this apply:"), *dressed])


def _mark(old: EffectiveRoute | None, new: EffectiveRoute | None, *, first: bool) -> str:
    if new is None:
        return "-"
    if old is None or (first and new.via is not None):
        return "+"
    same = old.destination == new.destination and old.audience == new.audience
    return " " if same else "~"


def _as(row: EffectiveRoute | None) -> str:
    if row is None:
        return "nothing: no connector has this address any more"
    return row.as_address or "nothing: it is refused"


def _why(row: EffectiveRoute | None) -> str:
    if row is None or row.via is None:
        return ""
    return row.via if row.reason is Reason.SENDER else f"{row.via} ({_WHY[row.reason]})"


def _stacked(rows: list[tuple[str, ...]]) -> list[str]:
    lines = []
    for mark, sender, as_whom, through, audience in rows:
        lines.append(f"{mark or ' '} {sender}")
        lines.append(f"    as {as_whom}")
        if through:
            lines.append(f"    through {through}")
        if audience:
            lines.append(f"    for {audience}")
    return lines


def _dress(line: str, style: Style) -> str:
    return style.mark(line[0]) + line[1:] if line and line[0] in "+~-" else line
