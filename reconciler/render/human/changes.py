"""Changes as text: individually, or grouped if similar."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Final, assert_never

from reconciler.model.domain import with_a_label
from reconciler.model.resource import JSON, Resource, canonical_json, spec_of
from reconciler.plan.alike import ROTATED, AlikeChanges, AlikeField, grouped
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
from reconciler.plan.value_source import NO_FIELDS, NO_SOURCES, shared_sources
from reconciler.render.human.sources import made_by, source_remark
from reconciler.render.terminal import pad, visible, width_of
from reconciler.wording import BLOCKS, LINES, NAMED, TO_ACT_ON, counted, listed, shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.model.address import Kind
    from reconciler.plan.value_source import (
        FieldSources,
        ResourceSource,
        ResourceSources,
        ValueSource,
    )
    from reconciler.render.terminal import Style

MOST_TEXT: Final = 200_000
"""No further change is shown after this many characters: nobody reads a longer plan."""


def change_blocks(
    changes: Sequence[Change],
    style: Style,
    *,
    be: str = "will be",
    sources: ResourceSources = NO_SOURCES,
) -> list[str]:
    """The changes, grouped if similar, and no more than can be read.

    ``be`` is the tense: "will be" in a plan, "was" in the history. ``sources`` are the places where new
    values are written.
    """
    parts = grouped(changes)
    blocks: list[str] = []
    size = 0
    for number, part in enumerate(parts):
        if len(blocks) == BLOCKS or size > MOST_TEXT:
            rest = [change for item in parts[number:] for change in _changes(item)]
            blocks.append(f"  … and {counted(len(rest), 'more change')}: {_by_kind(rest)}."
                          " `--format json` lists all of them.")  # fmt: skip
            break
        blocks.append(part_text(part, style, be=be, sources=sources))
        size += len(blocks[-1])
    return blocks


def part_text(
    part: Change | AlikeChanges,
    style: Style,
    *,
    be: str = "will be",
    sources: ResourceSources = NO_SOURCES,
) -> str:
    """One change, or one group of them."""
    if isinstance(part, AlikeChanges):
        return _alike(part, style, be, sources)
    return change_text(part, style, be=be, source=sources.get(part.address))


def _changes(part: Change | AlikeChanges) -> tuple[Change, ...]:
    return part.changes if isinstance(part, AlikeChanges) else (part,)


def _by_kind(changes: list[Change]) -> str:
    counts = Counter(change.address.kind for change in changes)
    return ", ".join(f"{count} of {kind}" for kind, count in counts.items())


def several(number: int, kind: Kind) -> str:
    """``300 EmailConnectors``, ``300 Permissions``."""
    return f"{number} {kind}" if kind.endswith("s") else counted(number, kind)


def _alike(group: AlikeChanges, style: Style, be: str, sources: ResourceSources) -> str:
    first = group.changes[0]
    symbol, verb = _what(first, be)
    if isinstance(first, Create):
        sources = NO_SOURCES  # those are for changed fields
    return group_text(
        (symbol, f"{verb} alike"),
        (group.kind, group.provider, [item.name for item in group.addresses]),
        group.fields,
        style,
        shared_sources(sources, group.addresses, [row.path for row in group.fields]),
    )


def group_text(
    what: tuple[str, str],
    whose: tuple[Kind, str | None, Sequence[str]],
    fields: Sequence[AlikeField],
    style: Style,
    sources: FieldSources = NO_FIELDS,
) -> str:
    """A group: the symbol and the verb, the kind, provider and names, and the fields with their sources."""
    (symbol, verb), (kind, provider, names) = what, whose
    of = f" of provider {visible(provider)}" if provider else ""
    title = f"{several(len(names), kind)}{of} {verb}"
    head = [
        f"  {style.strong(f'# {title}')}",
        f"  {style.mark(symbol)} {kind}: {listed(names, TO_ACT_ON)}",
    ]
    rows = [row for row in fields if worth_showing(row, symbol)]
    width = max((width_of(row.path) for row in rows), default=0)
    lines = [
        line for row in rows for line in row_lines(row, symbol, width, style, sources.get(row.path))
    ]
    return "\n".join([*head, *lines])


def worth_showing(row: AlikeField, symbol: str) -> bool:
    """Whether to show a field: fields that are off or empty are hidden for new and deleted resources."""
    if row.form == "same":
        return symbol == "~" or _worth(row.after if symbol == "+" else row.before)
    return row.form == "differs" or row.after != _ITS_NAME


_ITS_NAME: Final = "${name}"


def _what(change: Change, be: str) -> tuple[str, str]:
    """The symbol of a change, and the verb for a group."""
    be = "were" if be == "was" else be
    match change:
        case Create():
            return "+", f"{be} created"
        case Update():
            return "~", f"{be} updated"
        case Rename():
            return "~", f"{be} renamed"
        case Delete():
            return "-", f"{be} destroyed"
        case Forget():
            return "-", f"{be} forgotten"
        case RotateSecret():
            return "~", "have a rotated secret,"
        case _:
            assert_never(change)


def row_lines(
    row: AlikeField, symbol: str, width: int, style: Style, source: ValueSource | None = None
) -> list[str]:
    """The lines of a field in a group."""
    if row.path == ROTATED:
        value = visible(str(row.after)) if row.form != "differs" else _values_of(row)
        return [f"      {style.mark('~')} {value} (rotated)"]
    if row.form != "differs":
        return _field(FieldChange(row.path, row.before, row.after), width, style, source)
    remark = source_remark(source, style)
    return [f"      {style.mark(symbol)} {pad(row.path, width)} = {_values_of(row)}{remark}"]


def _values_of(row: AlikeField) -> str:
    """The distinct values of a field that differs: the first of them, and how many more."""
    texts = [
        " -> ".join(show(value, row.path) for value in pair if value is not None)
        for pair in row.values[:NAMED]
    ]
    more = len(row.values) - len(texts)
    return ", ".join(texts) + (f" and {more} more" if more else "")


def change_text(
    change: Change, style: Style, *, be: str = "will be", source: ResourceSource | None = None
) -> str:
    """One change: a comment, and the fields; ``source`` is where new values are written."""
    sources = source.fields if source is not None else NO_FIELDS
    match change:
        case Create(after):
            lines = _values("+", after, style)
            made = made_by(source)
            title = f"{change.address} {be} created" + (f" ({visible(made)})" if made else "")
            return _block("+", title, change, lines, style)
        case Update(fields=fields):
            comment = f"{change.address} {be} updated"
            return _block("~", comment, change, _fields(fields, style, sources), style)
        case Rename(before=before, fields=fields):
            comment = f"{before.address} {be} renamed to {change.address.name}"
            return _block("~", comment, change, _fields(fields, style, sources), style)
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


def show(value: JSON, path: str = "", *, most: int = LINES) -> str:
    """A value in YAML's flow style, with every invisible character escaped.

    Non-ASCII hosts, addresses and URLs are shown with their A-label; ``path`` identifies
    a host. Of a list, ``most`` items are shown.
    """
    items, more = shortened(value, most) if isinstance(value, list) else ([value], "")
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
    gone = symbol == "-"
    return [
        line
        for path, value in values
        for line in _field(
            FieldChange(path, value if gone else None, None if gone else value), width, style
        )
    ]


def _worth(value: JSON) -> bool:
    return value is not False and value != []


def _block(symbol: str, comment: str, change: Change, lines: list[str], style: Style) -> str:
    head = [f"  {style.strong(f'# {comment}')}", f"  {style.mark(symbol)} {change.address}"]
    return "\n".join([*head, *lines])


def _fields(fields: tuple[FieldChange, ...], style: Style, sources: FieldSources) -> list[str]:
    width = max((width_of(field.path) for field in fields), default=0)
    return [
        line for field in fields for line in _field(field, width, style, sources.get(field.path))
    ]


def _field(
    field: FieldChange, width: int, style: Style, source: ValueSource | None = None
) -> list[str]:
    name, remark = pad(field.path, width), source_remark(source, style)
    before, after = show(field.before, field.path), show(field.after, field.path)
    if isinstance(field.before, list) and isinstance(field.after, list):
        return _list(field.path, field.before, field.after, style, remark)
    if field.before is None:
        return [f"      {style.mark('+')} {name} = {after}{remark}"]
    if field.after is None:
        return [f"      {style.mark('-')} {name} = {before} -> null"]
    return [f"      {style.mark('~')} {name} = {before} -> {after}{remark}"]


def _list(path: str, before: list[JSON], after: list[JSON], style: Style, remark: str) -> list[str]:
    kept = {canonical_json(item) for item in before} & {canonical_json(item) for item in after}
    gone = [item for item in before if canonical_json(item) not in kept]
    come = [item for item in after if canonical_json(item) not in kept]
    if not gone and not come:
        return [f"      {style.mark('~')} {path} = {show(before)} -> {show(after)}{remark}"]
    return [
        f"      {style.mark('~')} {path}{remark}",
        *_items("-", gone, style),
        *_items("+", come, style),
    ]


def _items(symbol: str, items: list[JSON], style: Style) -> list[str]:
    shown, more = shortened(items, BLOCKS)
    lines = [f"          {style.mark(symbol)} {show(item)}" for item in shown]
    return [*lines, f"          {style.mark(symbol)} {more}"] if more else lines
