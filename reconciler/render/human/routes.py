"""Who sends as whom, before and after: the part of a plan that security people read."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

from reconciler.model.domain import with_a_label, with_a_labels
from reconciler.plan.document import RouteDocument, routes_document
from reconciler.render.terminal import natural_width, table, visible
from reconciler.routing.reason import Reason
from reconciler.routing.table import ANY_OTHER
from reconciler.values import replace
from reconciler.wording import BLOCKS, counted, shortened

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.plan.document import PlanDocument, RoutesDocument
    from reconciler.plan.planner import Plan
    from reconciler.render.terminal import Style
    from reconciler.routing.table import EffectiveRoute

_ALL = 25
"""Up to this many senders, all are shown, even unchanged ones; beyond that, this many per route."""

_WHY: dict[str, str] = {
    Reason.GLOBAL_POLICY: "global policy",
    Reason.FALLBACK: "fallback",
    Reason.NAMED: "named",
    Reason.SENDER: "its own connector",
}
_HEADER = ("", "Mail from", "goes out as", "through", "for")
_REFUSED = "nothing (refused)"


class SenderLine(Struct, frozen=True):
    """One sender, before and after; None if the address belongs to nobody.

    ``mark`` is the symbol of a plan: ``+``, ``~``, ``-``, or a blank if nothing changes.
    """

    sender: str
    before: RouteDocument | None
    after: RouteDocument | None
    mark: str


def routes(plan: Plan, style: Style) -> str:
    """A row for every sender, marked if something changes, with its former route."""
    if plan.serial and plan.routes_before is plan.routes_after and _are_many(plan.routes_after):
        return ""
    return ways(routes_document(plan), _changed(plan), style, first=not plan.serial)


def _are_many(rows: tuple[EffectiveRoute, ...]) -> bool:
    """Whether there are too many senders to show those whose route stays."""
    return len({row.sender.casefold() for row in rows} | {ANY_OTHER}) > _ALL


def sender_lines(plan: Plan) -> list[SenderLine]:
    """Every sender of a plan by address, any other sender last.

    A sender whose address no connector has any more gets the route of any other sender.
    """
    document = routes_document(plan)
    rest = next((row for row in document.after if row.sender == ANY_OTHER), None)
    return [
        line if line.after is not None else replace(line, after=rest)
        for line in _lines(document, _changed(plan), first=not plan.serial)
    ]


def _changed(plan: Plan) -> frozenset[str]:
    if plan.routes_before is plan.routes_after:
        return frozenset()
    before = {row.sender.casefold(): row for row in plan.routes_before}
    return frozenset(
        key
        for key, new in ((row.sender.casefold(), row) for row in plan.routes_after)
        if (old := before.get(key)) is not None
        and (old.destination, old.audience) != (new.destination, new.audience)
    )


def saved_routes(document: PlanDocument, style: Style) -> str:
    """The same for a saved plan, as far as its contents show."""
    before = {row.sender.casefold(): row for row in document.routes.before}
    changed = frozenset(
        key
        for key, new in ((row.sender.casefold(), row) for row in document.routes.after)
        if (old := before.get(key)) is not None
        and (old.via, old.as_address, old.users) != (new.via, new.as_address, new.users)
    )
    return ways(document.routes, changed, style, first=not document.serial)


def ways(document: RoutesDocument, changed: frozenset[str], style: Style, *, first: bool) -> str:
    """The rows of a plan; ``changed`` are the senders with changes, in lower case."""
    every = _lines(document, changed, first=first)
    moved = [line for line in every if line.mark != " "]
    shown, folded = (every, {}) if len(every) <= _ALL else fold(moved)
    other = next((row for row in document.after if row.sender == ANY_OTHER), None)
    readable, more = shortened(shown, BLOCKS)
    rows = [row for line in readable for row in _rows(line, other)]
    rows += [
        (mark, f"and {number} more", as_whom, through, with_a_labels(audience))
        for (mark, as_whom, through, audience), number in folded.items()
    ]
    rows += [("", more, "", "", "")] if more else []
    if not rows:
        return ""
    narrow = natural_width([_HEADER, *rows]) > style.width - 2
    lines = _stacked(rows) if narrow else table(_HEADER, rows, style.width - 2)
    dressed = [f"  {_dress(line, style)}" for line in lines]
    same = len(every) - len(moved)
    if len(every) > _ALL and same:
        dressed.append(style.faint(f"  and {counted(same, 'sender')} as before"))
    rerouted = 0 if first else len(document.rerouted)
    count = f" ({counted(rerouted, 'sender')} rerouted)" if rerouted else ""
    return "\n".join([style.strong(f"Who sends as whom after this apply{count}:"), *dressed])


def _lines(document: RoutesDocument, changed: frozenset[str], *, first: bool) -> list[SenderLine]:
    before = {row.sender.casefold(): row for row in document.before}
    after = {row.sender.casefold(): row for row in document.after}
    keys = sorted((before.keys() | after.keys()) - {ANY_OTHER})
    found = []
    for key in (*keys, ANY_OTHER):
        old, new = before.get(key), after.get(key)
        row = new or old
        if row is None:
            continue
        if new is None:
            mark = "-"
        elif old is None or (first and new.via is not None):
            mark = "+"
        else:
            mark = "~" if key in changed else " "
        found.append(SenderLine(row.sender, old, new, mark))
    return found


_Way: TypeAlias = tuple[str, str, str, str]
"""The key of similar senders: the mark, the address they send as, the connector, and its users."""


def fold(changed: list[SenderLine]) -> tuple[list[SenderLine], dict[_Way, int]]:
    """Keep the first senders of each route, and count the others."""
    kinds: dict[tuple[_Way, ...], list[SenderLine]] = {}
    for line in changed:
        ways = tuple(_way(line, row) for row in (line.after, line.before) if row is not None)
        kinds.setdefault(ways, []).append(line)
    kept = {line.sender for lines in kinds.values() for line in lines[:_ALL]}
    folded: dict[_Way, int] = {}
    for ways, lines in kinds.items():
        if len(lines) > _ALL:
            folded[ways[0]] = folded.get(ways[0], 0) + len(lines) - _ALL
    return [line for line in changed if line.sender in kept], folded


def _way(line: SenderLine, row: RouteDocument) -> _Way:
    """Senders with their own connector all count as the same route."""
    if row.reason == Reason.SENDER and row.as_address is not None:
        return line.mark, "itself", "its own connector", row.users
    return line.mark, _as(row), _through(row), row.users


def _rows(line: SenderLine, other: RouteDocument | None) -> list[tuple[str, ...]]:
    old, mark = line.before, line.mark
    # Mail from an address that no connector has anymore takes the route of any other sender.
    new = line.after or other
    users = with_a_labels(new.users) if new else ""
    rows: list[tuple[str, ...]] = [
        (mark, with_a_label(line.sender), _as(new), _through(new), users)
    ]
    if mark in "~-" and old is not None:
        rows.append(("", "  was", _as(old), _through(old), with_a_labels(old.users)))
    return rows


def in_words(row: RouteDocument | None, shown: Callable[[str], str] = str) -> str:
    """A route in a cell: as whom through which connector, and why; empty if the address belongs to nobody."""
    if row is None:
        return ""
    if row.as_address is None or row.via is None:
        return "refused"
    return f"as {shown(with_a_label(row.as_address))} through {shown(row.via)}{why(row)}"


def why(row: RouteDocument) -> str:
    """Why a sender takes this route, in brackets; empty if it is the sender's own."""
    return "" if row.reason == Reason.SENDER else f" ({_WHY[row.reason]})"


def _as(row: RouteDocument | None) -> str:
    return with_a_label(row.as_address) if row and row.as_address else _REFUSED


def _through(row: RouteDocument | None) -> str:
    if row is None or row.via is None:
        return ""
    return row.via + why(row)


def _stacked(rows: list[tuple[str, ...]]) -> list[str]:
    lines = []
    for row in rows:
        mark, sender, as_whom, through, audience = map(visible, row)
        indent = "    " if mark else "      "
        lines.append(f"{mark or ' '} {sender}")
        lines.append(f"{indent}as {as_whom}")
        if through:
            lines.append(f"{indent}through {through}")
        if audience:
            lines.append(f"{indent}for {audience}")
    return lines


def _dress(line: str, style: Style) -> str:
    return style.mark(line[0]) + line[1:] if line and line[0] in "+~-" else line
