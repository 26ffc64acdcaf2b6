"""The plan as text: what changes, who then sends as whom, and which limits it breaks."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, assert_never

from reconciler.model.domain import with_a_label
from reconciler.model.resource import JSON, Resource, canonical_json, spec_of
from reconciler.plan.alike import AlikeChanges, alike
from reconciler.plan.changes import (
    Change,
    Create,
    Delete,
    FieldChange,
    Forget,
    Rename,
    RotateSecret,
    Update,
)
from reconciler.plan.diff import leaves
from reconciler.plan.planner import ProveEmpty, TestConnectors, WriteRevision, stages
from reconciler.render.human.impact import access, new_credential_uses, refusals, settings_changes
from reconciler.render.human.routes import routes
from reconciler.render.terminal import pad, visible, width_of
from reconciler.wording import BLOCKS, TO_ACT_ON, counted, listed, shortened

if TYPE_CHECKING:
    from reconciler.model.address import Address
    from reconciler.plan.planner import Plan
    from reconciler.render.terminal import Style

NO_CHANGES = "No changes. The stored state matches the configuration."
NO_CHANGES_BUT_SETTINGS = (
    "No changes of resources, but other settings are in force than at the last apply."
)


def plan_text(plan: Plan, style: Style, *, skip_tests: bool = False) -> str:
    """The whole plan."""
    sections = [compared_with(plan)]
    sections += [f"Environment: {visible(plan.environment)}"] if plan.environment else []
    if not plan.empty:
        body = "\n\n".join(change_blocks(plan.changes, style))
        sections.append(f"reconciler will perform the following actions:\n\n{body}")
        sections.append(routes(plan, style))
        sections.append(access(plan, style))
        sections.append(forgotten(plan, style))
    sections.append(new_credential_uses(plan, style))
    since = plan.base.ref if plan.base else ""
    sections.append(settings_changes(plan.settings_changes, style, since=since))
    sections.append(steps(plan, style, skip_tests=skip_tests))
    sections.append(refusals(plan, style))
    sections.append(not_tested(plan))
    sections.append(left_out(plan))
    sections.append(style.strong(summary(plan)))
    return "\n\n".join(section for section in sections if section)


def compared_with(plan: Plan) -> str:
    """The commit that the configuration was compared with, if it was not the stored state."""
    if plan.base is None:
        return ""
    return (
        f"Compared with {visible(plan.base.ref)} (commit {plan.base.commit[:12]}), not with what is applied:"
        " no state was read."
    )


def change_blocks(changes: tuple[Change, ...], style: Style) -> list[str]:
    """The changes, grouped if alike, and no more than can be read."""
    groups = {address: group for group in alike(changes) for address in group.addresses}
    blocks: list[str] = []
    told: set[Address] = set()
    for number, change in enumerate(changes):
        group = groups.get(change.address) if isinstance(change, Update) else None
        if group is not None and group.addresses[0] in told:
            continue
        if len(blocks) == BLOCKS:
            rest = [item for item in changes[number:] if item.address not in told]
            blocks.append(f"  … and {counted(len(rest), 'more change')}: {_by_kind(rest)}."
                          " `--format json` lists all of them.")  # fmt: skip
            break
        told.update((change.address,) if group is None else group.addresses)
        blocks.append(change_text(change, style) if group is None else _alike(group, style))
    return blocks


def _alike(group: AlikeChanges, style: Style) -> str:
    of = f" of provider {visible(group.provider)}" if group.provider else ""
    title = f"{len(group.addresses)} {group.kind}s{of} will be updated alike"
    names = listed([item.name for item in group.addresses], TO_ACT_ON)
    head = [f"  {style.strong(f'# {title}')}", f"  {style.mark('~')} {group.kind}: {names}"]
    return "\n".join([*head, *_fields(group.fields, style)])


def _by_kind(changes: list[Change]) -> str:
    counts = Counter(change.address.kind for change in changes)
    return ", ".join(f"{count} of {kind}" for kind, count in counts.items())


def forgotten(plan: Plan, style: Style) -> str:
    """What was forgotten, and is created again because it is still in the configuration."""
    if not plan.forgotten:
        return ""
    lines = [
        f"  {item.address} was forgotten in revision {item.serial} by {visible(item.by)}, "
        f"{item.at:%Y-%m-%d %H:%M} UTC"
        for item in plan.forgotten
    ]
    return "\n".join(
        [style.strong("Created again, because it is still in the configuration:"), *lines]
    )


def not_tested(plan: Plan) -> str:
    """The connectors that are not known to work, which does not stop the plan."""
    if not plan.not_ready:
        return ""
    names = listed([f"{item.connector} ({item.reason})" for item in plan.not_ready])
    return (
        f"Not tested by an apply, which does not change them: {names}."
        " `reconciler test --changed` tests them."
    )


def left_out(plan: Plan) -> str:
    """The scope of a partial plan, what it includes besides, and what it leaves out."""
    partial = plan.partial
    if partial is None:
        return ""
    sentences = [f"This plan is partial: {visible(str(partial.scope))}."]
    if partial.dependencies:
        sentences.append(f"What it is about depends on {listed(partial.dependencies, TO_ACT_ON)}.")
    count = len(partial.left_out)
    what = "resources that would change too" if count > 1 else "resource that would change too"
    sentences.append(
        f"It leaves out {count} {what}: {listed(partial.left_out, TO_ACT_ON)}."
        if count
        else "It leaves out nothing that would change."
    )
    return " ".join(sentences)


def summary(plan: Plan) -> str:
    """The summary line."""
    if plan.empty and plan.partial is not None:
        return f"No changes within {visible(str(plan.partial.scope))}."
    if plan.empty and plan.base is not None and not plan.settings_changes:
        return f"No changes. The configuration means the same as that of {visible(plan.base.ref)}."
    if plan.empty and plan.base is not None:
        return f"No changes of resources, but other settings than in {visible(plan.base.ref)}."
    if plan.empty:
        return NO_CHANGES if not plan.settings_changes else NO_CHANGES_BUT_SETTINGS
    counts = plan.counts
    return (
        f"Plan: {counts.added} to add, {counts.changed} to change, {counts.destroyed} to destroy."
    )


def change_text(change: Change, style: Style, *, be: str = "will be") -> str:
    """One change: a comment in words, and the fields.

    ``be`` is the tense: "will be" in a plan, "was" in the history.
    """
    match change:
        case Create(after):
            lines = _values("+", after, style)
            return _block("+", f"{change.address} {be} created", change, lines, style)
        case Update(fields=fields):
            comment = f"{change.address} {be} updated"
            return _block("~", comment, change, _fields(fields, style), style)
        case Rename(before=before, fields=fields):
            comment = f"{before.address} {be} renamed to {change.address.name}"
            return _block("~", comment, change, _fields(fields, style), style)
        case Delete(before):
            lines = _values("-", before, style)
            return _block("-", f"{change.address} {be} destroyed", change, lines, style)
        case Forget(before):
            lines = _values("-", before, style)
            return _block("-", f"{change.address} {be} forgotten", change, lines, style)
        case RotateSecret(references=references):
            lines = [
                f"      {style.mark('~')} {visible(str(item))} (rotated)" for item in references
            ]
            return _block("~", f"{change.address} has a rotated secret", change, lines, style)
        case _:
            assert_never(change)


def show(value: JSON, path: str = "") -> str:
    """A value in YAML's flow style, with every invisible character escaped.

    Hosts, addresses and URLs that are not ASCII have their A-label beside them; ``path`` identifies
    a host.
    """
    items, more = shortened(value, BLOCKS) if isinstance(value, list) else ([value], "")
    shown = visible(
        json.dumps(list(items) if isinstance(value, list) else value, ensure_ascii=False)
    )
    shown += f" {more}" if more else ""
    texts = [item for item in items if isinstance(item, str)]
    labels = [
        with_a_label(text).removeprefix(text)
        for text in texts
        if path.endswith("server") or _ADDRESS.fullmatch(text)
    ]
    return shown + "".join(labels)


_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+|https://\S+")


def _values(symbol: str, resource: Resource, style: Style) -> list[str]:
    values = [(path, value) for path, value in leaves(spec_of(resource)) if _worth(value)]
    width = max((width_of(path) for path, _ in values), default=0)
    gone = " -> null" if symbol == "-" else ""
    return [
        f"      {style.mark(symbol)} {pad(path, width)} = {show(value, path)}{gone}"
        for path, value in values
    ]


def _worth(value: JSON) -> bool:
    return value is not False and value != []


def _block(symbol: str, comment: str, change: Change, lines: list[str], style: Style) -> str:
    head = [f"  {style.strong(f'# {comment}')}", f"  {style.mark(symbol)} {change.address}"]
    return "\n".join([*head, *lines])


def _fields(fields: tuple[FieldChange, ...], style: Style) -> list[str]:
    width = max((width_of(field.path) for field in fields), default=0)
    lines = []
    for field in fields:
        name = pad(field.path, width)
        if isinstance(field.before, list) and isinstance(field.after, list):
            lines += _list(field.path, field.before, field.after, style)
        elif field.before is None:
            lines.append(f"      {style.mark('+')} {name} = {show(field.after, field.path)}")
        elif field.after is None:
            lines.append(
                f"      {style.mark('-')} {name} = {show(field.before, field.path)} -> null"
            )
        else:
            lines.append(
                f"      {style.mark('~')} {name} = {show(field.before, field.path)}"
                f" -> {show(field.after, field.path)}"
            )
    return lines


def _list(path: str, before: list[JSON], after: list[JSON], style: Style) -> list[str]:
    kept = {canonical_json(item) for item in before} & {canonical_json(item) for item in after}
    gone = [item for item in before if canonical_json(item) not in kept]
    come = [item for item in after if canonical_json(item) not in kept]
    if not gone and not come:
        return [f"      {style.mark('~')} {path} = {show(before)} -> {show(after)}"]
    return [
        f"      {style.mark('~')} {path}",
        *_items("-", gone, style),
        *_items("+", come, style),
    ]


def _items(symbol: str, items: list[JSON], style: Style) -> list[str]:
    shown, more = shortened(items, BLOCKS)
    lines = [f"          {style.mark(symbol)} {show(item)}" for item in shown]
    return [*lines, f"          {style.mark(symbol)} {more}"] if more else lines


def steps(plan: Plan, style: Style, *, skip_tests: bool = False) -> str:
    """What an apply would do, step by step."""
    lines = []
    for stage in stages(plan, skip_tests=skip_tests):
        match stage:
            case TestConnectors(connectors):
                lines.append(f"Test {counted(len(connectors), 'connector')} live:")
                width = max(width_of(item.connector) for item in connectors)
                shown, more = shortened(connectors)
                lines += [
                    f"   {pad(item.connector, width)}  {style.faint(item.reason)}" for item in shown
                ]
                lines += [f"   {more}"] if more else []
            case WriteRevision(serial, changes):
                lines.append(
                    f"Write {counted(len(changes), 'change')} as revision {serial}, all or nothing."
                )
            case ProveEmpty():
                lines.append("Plan again, and expect no changes.")
            case _:
                assert_never(stage)
    if not lines:
        return ""
    numbered, number = [], 0
    for line in lines:
        if line.startswith(" "):
            numbered.append(f"   {line}")
        else:
            number += 1
            numbered.append(f"  {number}. {line}")
    return "\n".join([style.strong("An apply will:"), *numbered])
