"""The history of the state: revisions, one revision, one resource, and changes between revisions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, assert_never

from reconciler.model.resource import JSON
from reconciler.plan.changes import ChangeCounts
from reconciler.plan.diff import field_changes
from reconciler.plan.document import ChangedField, ResourceChange, SummaryDocument, resource_change
from reconciler.render.formats import OutputFormat
from reconciler.render.human.changes import change_blocks
from reconciler.render.json import to_json
from reconciler.render.terminal import instant, minute, table, visible

if TYPE_CHECKING:
    from reconciler.plan.changes import Change
    from reconciler.render.formats import TextOrJson
    from reconciler.render.terminal import Style
    from reconciler.state.base import HistoryEntry, Revision


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionDocument:
    """One apply: who made it, when, from which git commit, and how much it changed.

    ``at`` is ISO 8601 in UTC; ``git_commit`` is empty without git, and ends in ``-dirty`` if files
    differed from it.
    """

    serial: int
    at: str
    actor: str
    actor_source: str
    git_commit: str
    tool_version: str
    plan_digest: str
    added: int
    changed: int
    destroyed: int
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionsDocument:
    """The newest revisions, newest first."""

    format_version: Literal["1.0"] = "1.0"
    revisions: tuple[RevisionDocument, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryDocument:
    """What one revision did to one resource; ``spec`` is the result, null after a delete.

    ``fields`` are those that changed, by dotted path.
    """

    serial: int
    at: str
    actor: str
    git_commit: str
    address: str
    action: str
    renamed_from: str | None
    fields: tuple[ChangedField, ...]
    spec: dict[str, JSON] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntriesDocument:
    """The history of one resource, under its former names too, newest first."""

    format_version: Literal["1.0"] = "1.0"
    entries: tuple[EntryDocument, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangesDocument:
    """What one revision changed, in the form of a plan."""

    format_version: Literal["1.0"] = "1.0"
    revision: RevisionDocument
    resource_changes: tuple[ResourceChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffDocument:
    """The changes from one revision to another, in the form of a plan."""

    format_version: Literal["1.0"] = "1.0"
    from_serial: int
    to_serial: int
    resource_changes: tuple[ResourceChange, ...]
    summary: SummaryDocument


HistoryDocument = RevisionsDocument | EntriesDocument | ChangesDocument
"""What ``history`` prints: without arguments, with an address, and as ``history show``."""


def revisions_text(revisions: tuple[Revision, ...], output_format: TextOrJson, style: Style) -> str:
    """The revisions, newest first."""
    match output_format:
        case OutputFormat.HUMAN:
            return _revisions_table(revisions, style)
        case OutputFormat.JSON:
            documents = tuple(_revision(item) for item in revisions)
            return to_json(RevisionsDocument(revisions=documents))
        case _:
            assert_never(output_format)


def _revisions_table(revisions: tuple[Revision, ...], style: Style) -> str:
    if not revisions:
        return "Nothing was applied yet."
    rows = [
        (
            str(item.serial),
            minute(item.at),
            item.actor,
            _short(item.git_commit),
            f"+{item.counts.added} ~{item.counts.changed} -{item.counts.destroyed}",
            item.note,
        )
        for item in revisions
    ]
    lines = table(("SERIAL", "WHEN (UTC)", "WHO", "COMMIT", "WHAT", "NOTE"), rows, style.width)
    return "\n".join([style.strong(lines[0]), *lines[1:]])


def entries_text(
    entries: tuple[HistoryEntry, ...],
    before: HistoryEntry | None,
    output_format: TextOrJson,
    style: Style,
) -> str:
    """The history of one resource; ``before`` is the entry that precedes the oldest one."""
    specs = [item.spec for item in (*entries[1:], *((before,) if before else ()))]
    former = [*specs, *([] if before else [None])]
    documents = [_entry(item, was) for item, was in zip(entries, former, strict=False)]
    match output_format:
        case OutputFormat.HUMAN:
            return _entries_table(entries, documents, style)
        case OutputFormat.JSON:
            return to_json(EntriesDocument(entries=tuple(documents)))
        case _:
            assert_never(output_format)


def _entries_table(
    entries: tuple[HistoryEntry, ...], documents: list[EntryDocument], style: Style
) -> str:
    if not entries:
        return "There is no history of it."
    rows = [
        (
            str(item.serial),
            minute(item.at),
            item.actor,
            _short(item.git_commit),
            str(item.address),
            _what(document),
        )
        for item, document in zip(entries, documents, strict=True)
    ]
    lines = table(("SERIAL", "WHEN (UTC)", "WHO", "COMMIT", "ADDRESS", "WHAT"), rows, style.width)
    return "\n".join([style.strong(lines[0]), *lines[1:]])


def revision_text(
    revision: Revision, changes: tuple[Change, ...], output_format: TextOrJson, style: Style
) -> str:
    """One revision with everything that it changed."""
    match output_format:
        case OutputFormat.HUMAN:
            return _revision_block(revision, changes, style)
        case OutputFormat.JSON:
            return to_json(
                ChangesDocument(
                    revision=_revision(revision),
                    resource_changes=tuple(resource_change(change) for change in changes),
                )
            )
        case _:
            assert_never(output_format)


def _revision_block(revision: Revision, changes: tuple[Change, ...], style: Style) -> str:
    facts = [
        ("when", f"{revision.at:%Y-%m-%d %H:%M:%S} UTC"),
        ("who", f"{visible(revision.actor)} ({visible(revision.actor_source)})"),
        ("commit", visible(revision.git_commit) or "none"),
        ("release", visible(revision.tool_version)),
        ("note", visible(revision.note)),
    ]
    head = [style.strong(f"Revision {revision.serial}")]
    head += [f"  {name:<8} {text}" for name, text in facts if text]
    counts = revision.counts
    return "\n\n".join(
        [
            "\n".join(head),
            *change_blocks(changes, style, be="was"),
            style.strong(
                f"{counts.added} added, {counts.changed} changed, {counts.destroyed} destroyed."
            ),
        ]
    )


def diff_text(
    first: int,
    second: int,
    changes: tuple[Change, ...],
    output_format: TextOrJson,
    style: Style,
) -> str:
    """The changes from one revision to another, older or newer."""
    match output_format:
        case OutputFormat.HUMAN:
            return _differences(first, second, changes, style)
        case OutputFormat.JSON:
            counts = ChangeCounts.of(changes)
            return to_json(
                DiffDocument(
                    from_serial=first,
                    to_serial=second,
                    resource_changes=tuple(resource_change(change) for change in changes),
                    summary=SummaryDocument(
                        add=counts.added, change=counts.changed, destroy=counts.destroyed
                    ),
                )
            )
        case _:
            assert_never(output_format)


def _differences(first: int, second: int, changes: tuple[Change, ...], style: Style) -> str:
    counts = ChangeCounts.of(changes)
    if not changes:
        return f"No differences between revision {first} and revision {second}."
    be = "was" if first <= second else "would be"
    summary = (
        f"From revision {first} to revision {second}: {counts.added} added, "
        f"{counts.changed} changed, {counts.destroyed} destroyed."
    )
    return "\n\n".join([*change_blocks(changes, style, be=be), style.strong(summary)])


def _revision(item: Revision) -> RevisionDocument:
    return RevisionDocument(
        serial=item.serial,
        at=instant(item.at),
        actor=item.actor,
        actor_source=item.actor_source,
        git_commit=item.git_commit,
        tool_version=item.tool_version,
        plan_digest=item.plan_digest,
        added=item.counts.added,
        changed=item.counts.changed,
        destroyed=item.counts.destroyed,
        note=item.note,
    )


def _entry(item: HistoryEntry, before: dict[str, JSON] | None) -> EntryDocument:
    fields = field_changes(before, item.spec) if before and item.spec else ()
    return EntryDocument(
        serial=item.serial,
        at=instant(item.at),
        actor=item.actor,
        git_commit=item.git_commit,
        address=str(item.address),
        action=item.action,
        renamed_from=item.renamed_from or None,
        fields=tuple(
            ChangedField(path=field.path, before=field.before, after=field.after)
            for field in fields
        ),
        spec=item.spec,
    )


def _what(entry: EntryDocument) -> str:
    origin = f" from {entry.renamed_from}" if entry.renamed_from else ""
    paths = [field.path for field in entry.fields if field.path not in _NAMES or not origin]
    return entry.action + origin + (f": {', '.join(paths)}" if paths else "")


_NAMES = ("name", "connector")
"""The fields that change in every rename, which are not listed."""


def _short(commit: str) -> str:
    return commit[:10] + ("-dirty" if commit.endswith("-dirty") else "")
