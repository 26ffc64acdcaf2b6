"""A saved plan as text: what it is bound to, and what it would do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.render.human.plan import show
from reconciler.render.json import to_json
from reconciler.render.table import table

if TYPE_CHECKING:
    from reconciler.plan.document import ResourceChange, RoutesDocument
    from reconciler.plan.planfile import PlanFile
    from reconciler.render.style import Style

_SYMBOLS = {"create": "+", "delete": "-", "update": "~", "rename": "~", "rotate_secret": "~"}


def plan_file_text(file: PlanFile, form: str, style: Style) -> str:
    """The saved plan for people, or as the JSON that it is."""
    if form == "json":
        return to_json(file)
    document = file.plan
    counts = document.summary
    saved_with = " ".join(file.allowed.options)
    parts = [
        f"A plan against serial {file.basis.serial}, made by release {file.basis.tool_version}."
        + (f"\nSaved with {saved_with}." if saved_with else ""),
        *(_change(change, style) for change in document.resource_changes),
        _routes(document.routes, style),
        "\n".join(
            f"{style.mark('!')} {check.message}"
            for check in document.checks
            if check.status == "fail"
        ),
        style.strong(
            f"Plan: {counts.add} to add, {counts.change} to change, {counts.destroy} to destroy."
        ),
    ]
    return "\n\n".join(part for part in parts if part)


def _change(item: ResourceChange, style: Style) -> str:
    symbol = _SYMBOLS[item.change.actions[0]]
    lines = [f"  {style.mark(symbol)} {item.address}: {', '.join(item.change.actions)}"]
    lines += [
        f"      {style.mark('~')} {field.path} = {show(field.before)} -> {show(field.after)}"
        for field in item.change.fields
    ]
    lines += [
        f"      {style.mark('~')} {reference} (rotated)"
        for reference in item.change.rotated_secrets
    ]
    return "\n".join(lines)


def _routes(routes: RoutesDocument, style: Style) -> str:
    rows: list[tuple[str, ...]] = [
        (row.sender, row.as_address or "refused", row.via or "", row.users) for row in routes.after
    ]
    header = ("Mail from", "goes out as", "through", "for")
    lines = [f"  {line}" for line in table(header, rows, style.width - 2)]
    return "\n".join([style.strong("Who sends as whom after this apply:"), *lines])
