"""A saved plan as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from reconciler.plan.alike import ROTATED, AlikeField
from reconciler.plan.diff import leaves
from reconciler.plan.limits import Limit
from reconciler.render.formats import OutputFormat
from reconciler.render.human.changes import group_text, row_lines, worth_showing
from reconciler.render.human.impact import access_changes, credential_uses, settings_changes
from reconciler.render.human.routes import saved_routes
from reconciler.render.json import to_json
from reconciler.render.terminal import table, visible
from reconciler.wording import BLOCKS, NAMED, counted, listed, shortened

if TYPE_CHECKING:
    from reconciler.model.resource import JSON
    from reconciler.plan.alike_document import GroupDocument
    from reconciler.plan.document import (
        ChangeDocument,
        CheckDocument,
        PlanDocument,
        ResourceChange,
    )
    from reconciler.plan.planfile import PlanFile
    from reconciler.render.formats import TextOrJson
    from reconciler.render.terminal import Style

_SYMBOLS = {
    "create": "+", "delete": "-", "forget": "-", "update": "~", "rename": "~", "rotate_secret": "~",
}  # fmt: skip


def plan_file_text(file: PlanFile, output_format: TextOrJson, style: Style) -> str:
    """The saved plan for people, or as the JSON that it is."""
    match output_format:
        case OutputFormat.HUMAN:
            return _saved(file, style)
        case OutputFormat.JSON:
            return to_json(file)
        case _:
            assert_never(output_format)


def _saved(file: PlanFile, style: Style) -> str:
    document = file.plan
    counts = document.summary
    saved_with = " ".join(file.allowed.options)
    parts = [
        f"A plan against serial {file.basis.serial}, made by release {file.basis.tool_version}."
        + (f"\nSaved with {saved_with}." if saved_with else "")
        + (f"\nEnvironment: {visible(document.environment)}" if document.environment else "")
        + _part(document),
        *_changes(document, style),
        saved_routes(document, style) if document.resource_changes else "",
        access_changes(document.access_changes if document.serial else (), style),
        credential_uses(document.new_credential_uses, style),
        settings_changes(document.settings_changes, style),
        _forgotten(document, style),
        _tests(document, style),
        _refusals(document, style, sealed=file.seal is not None),
        style.strong(
            f"Plan: {counts.add} to add, {counts.change} to change, {counts.destroy} to destroy."
        ),
    ]
    return "\n\n".join(part for part in parts if part)


def _part(document: PlanDocument) -> str:
    partial = document.partial
    if partial is None:
        return ""
    text = f"\nIt is partial: {visible(str(partial.scope.scope))}."
    if partial.left_out:
        text += f" It leaves out {visible(listed(partial.left_out))}."
    return text


def _forgotten(document: PlanDocument, style: Style) -> str:
    if not document.forgotten:
        return ""
    shown, more = shortened(document.forgotten)
    lines = [
        f"  {item.address} was forgotten in revision {item.serial} by {visible(item.by)}, {item.at}"
        for item in shown
    ]
    lines += [f"  {more}"] if more else []
    title = "Created again, because it is still in the configuration:"
    return "\n".join([style.strong(title), *lines])


def _tests(document: PlanDocument, style: Style) -> str:
    if not document.tests:
        return ""
    title = f"An apply will test {counted(len(document.tests), 'connector')} live:"
    shown, more = shortened(document.tests)
    rows = [(item.connector, item.reason) for item in shown]
    lines = [f"  {line}" for line in table(("", ""), rows, style.width - 2)[1:]]
    return "\n".join([style.strong(title), *lines, *([f"  {more}"] if more else [])])


def _refusals(document: PlanDocument, style: Style, *, sealed: bool) -> str:
    """The checks that fail, without those that a seal of this state's key approves."""
    limits: dict[str, list[CheckDocument]] = {}
    for check in document.checks:
        if check.status == "fail" and not (sealed and check.name == Limit.CREDENTIAL):
            limits.setdefault(check.name, []).append(check)
    if not limits:
        return ""
    lines = [style.strong("An apply would be refused:")]
    for checks in limits.values():
        shown, more = shortened(checks, NAMED)
        for check in shown:
            lines.append(f"  {style.mark('!')} {visible(check.message)}")
            if check.override:
                lines.append(f"      to allow it: make a new plan with {visible(check.override)}")
        lines += [f"  {style.mark('!')} {more}"] if more else []
    return "\n".join(lines)


def _changes(document: PlanDocument, style: Style) -> list[str]:
    """The changes, grouped if similar, each group in the position of its first."""
    by_address: dict[str, list[ResourceChange]] = {}
    for item in document.resource_changes:
        by_address.setdefault(item.address, []).append(item)
    heads = {(group.actions, group.addresses[0]): group for group in document.groups}
    grouped = {(group.actions, address) for group in document.groups for address in group.addresses}
    blocks = []
    for item in document.resource_changes:
        key = (item.change.actions, item.address)
        if key in heads:
            group = heads[key]
            changes = [
                found.change
                for address in group.addresses
                for found in by_address[address]
                if found.change.actions == group.actions
            ]
            blocks.append(_group(group, changes, style))
        elif key not in grouped:
            blocks.append(_change(item, style))
    shown, more = shortened(blocks, BLOCKS)
    return [*shown, *([f"  … {more}; `--format json` lists all changes."] if more else [])]


def _group(group: GroupDocument, changes: list[ChangeDocument], style: Style) -> str:
    fields = []
    for row in group.fields:
        values = [_pair(change, row.path) for change in changes] if row.form == "differs" else []
        distinct = {str(pair): pair for pair in values}
        fields.append(
            AlikeField(row.path, row.form, row.before, row.after, tuple(distinct.values()))
        )
    names = [address.partition(".")[2] for address in group.addresses]
    return group_text(
        (_SYMBOLS[group.actions[0]], f"alike: {', '.join(group.actions)}"),
        (group.kind, group.provider, names),
        tuple(fields),
        style,
    )


def _pair(change: ChangeDocument, path: str) -> tuple[JSON, JSON]:
    """The values of a field before and after."""
    for field in change.fields:
        if field.path == path:
            return field.before, field.after
    if path == ROTATED:
        return None, ", ".join(change.rotated_secrets)
    before, after = (dict(leaves(spec or {})) for spec in (change.before, change.after))
    return before.get(path), after.get(path)


def _change(item: ResourceChange, style: Style) -> str:
    symbol = _SYMBOLS[item.change.actions[0]]
    lines = [f"  {style.mark(symbol)} {item.address}: {', '.join(item.change.actions)}"]
    rows = [
        AlikeField(field.path, "same", field.before, field.after) for field in item.change.fields
    ]
    if not rows:
        spec = item.change.after or item.change.before or {}
        gone = item.change.after is None
        rows = [
            AlikeField(path, "same", value if gone else None, None if gone else value)
            for path, value in leaves(spec)
        ]
    rows += [AlikeField(ROTATED, "same", None, text) for text in item.change.rotated_secrets]
    shown = [row for row in rows if worth_showing(row, symbol)]
    width = max((len(row.path) for row in shown), default=0)
    return "\n".join(
        [*lines, *(text for row in shown for text in row_lines(row, symbol, width, style))]
    )
