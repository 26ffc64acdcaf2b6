"""What is stored, for people and for machines: the list, one resource, the history, the lock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.model.connector import Connector
from reconciler.model.resource import JSON, spec_of
from reconciler.model.snapshot import Status
from reconciler.plan.diff import leaves
from reconciler.render.human.plan import show
from reconciler.render.json import to_json
from reconciler.render.table import natural_width, pad, table, width_of

if TYPE_CHECKING:
    from datetime import datetime

    from reconciler.model.snapshot import StoredResource, StoredState
    from reconciler.render.style import Style
    from reconciler.state.base import HistoryEntry, Lease, Revision


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorStatus:
    """A stored connector as the list of data sources shows it; times are ISO 8601 in UTC."""

    name: str
    display_name: str
    type: str
    labels: tuple[str, ...]
    status: str
    stage: str | None
    error_class: str | None
    tested_at: str | None
    modified_at: str
    modified_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusDocument:
    """The list of stored connectors."""

    format_version: str = "1.0"
    lineage: str
    serial: int
    connectors: tuple[ConnectorStatus, ...]


def status_document(state: StoredState, stored: tuple[StoredResource, ...]) -> StatusDocument:
    """Put stored connectors into the shape in which they are published."""
    rows = [_status(item, item.resource) for item in stored if isinstance(item.resource, Connector)]
    return StatusDocument(lineage=state.lineage, serial=state.serial, connectors=tuple(rows))


def _status(stored: StoredResource, connector: Connector) -> ConnectorStatus:
    test = stored.last_test
    return ConnectorStatus(
        name=connector.name,
        display_name=connector.display_name,
        type=kind_of(connector),
        labels=connector.labels,
        status=stored.status or "",
        stage=test.stage if test and not test.passed else None,
        error_class=test.error_class if test and not test.passed else None,
        tested_at=instant(test.at) if test else None,
        modified_at=instant(stored.modified_at),
        modified_by=stored.modified_by,
    )


def kind_of(connector: Connector) -> str:
    """What a connector is, in a word or two: its provider, or the protocols that it speaks."""
    if connector.provider:
        return connector.provider
    protocols = ["IMAP"] if connector.imap else []
    if connector.enable_mail_send_from:
        protocols.append("SMTP")
    return "+".join(protocols) or "none"


_DISPENSABLE = ("DISPLAY NAME", "MODIFIED BY", "TYPE", "MODIFIED (UTC)")
"""Columns that a narrow terminal goes without, the first one first; ``show`` has them all."""


def status_text(document: StatusDocument, form: str, style: Style) -> str:
    """The list as a table, or as JSON."""
    if form == "json":
        return to_json(document)
    if not document.serial:
        return "Nothing was applied yet. Start with `reconciler plan`."
    if not document.connectors:
        return "No stored connector matches."
    columns = {
        "NAME": [item.name for item in document.connectors],
        "DISPLAY NAME": [item.display_name for item in document.connectors],
        "TYPE": [item.type for item in document.connectors],
        "STATUS": [_status_words(item) for item in document.connectors],
        "MODIFIED (UTC)": [item.modified_at.replace("T", " ")[:16] for item in document.connectors],
        "MODIFIED BY": [item.modified_by for item in document.connectors],
    }
    for name in _DISPENSABLE:
        if natural_width([tuple(columns), *zip(*columns.values(), strict=True)]) > style.width:
            del columns[name]
    rows = list(zip(*columns.values(), strict=True))
    lines = table(tuple(columns), rows, style.width)
    paint = {Status.READY: style.added, Status.FAILING: style.removed}
    dressed = [style.strong(lines[0])]
    for line, item in zip(lines[1:], document.connectors, strict=True):
        words = _status_words(item)
        dress = paint.get(Status(item.status), style.faint)
        dressed.append(line.replace(words, dress(words), 1) if words in line else line)
    return "\n".join(dressed)


def _status_words(item: ConnectorStatus) -> str:
    if item.status != Status.FAILING or item.tested_at is None:
        return item.status
    return f"failing at {item.stage} ({item.error_class}) since {item.tested_at[:16].replace('T', ' ')}"


def resource_text(stored: StoredResource, form: str, style: Style) -> str:
    """One stored resource with its fields, or as JSON."""
    spec = spec_of(stored.resource)
    if form == "json":
        return to_json(
            {
                "format_version": "1.0",
                "address": str(stored.address),
                "status": stored.status,
                "created_at": instant(stored.created_at),
                "modified_at": instant(stored.modified_at),
                "modified_by": stored.modified_by,
                "spec": spec,
            }
        )
    values: list[tuple[str, JSON]] = list(leaves(spec))
    width = max(width_of(path) for path, _ in values)
    lines = [style.strong(f"# {stored.address}")]
    lines += [f"    {pad(path, width)} = {show(value)}" for path, value in values]
    lines.append("")
    if stored.status:
        lines.append(f"  status    {stored.status}{_last_test(stored)}")
    lines.append(f"  created   {minute(stored.created_at)}")
    lines.append(f"  modified  {minute(stored.modified_at)} by {stored.modified_by}")
    return "\n".join(lines)


def _last_test(stored: StoredResource) -> str:
    test = stored.last_test
    if test is None:
        return ""
    if test.passed:
        return f", tested {minute(test.at)}"
    return f" at {test.stage} ({test.error_class}) since {minute(test.at)}: {test.summary}"


def revisions_text(revisions: tuple[Revision, ...], form: str, style: Style) -> str:
    """The revisions, newest first."""
    if form == "json":
        return to_json(
            {
                "format_version": "1.0",
                "revisions": [
                    {
                        "serial": item.serial,
                        "at": instant(item.at),
                        "actor": item.actor,
                        "actor_source": item.actor_source,
                        "git_commit": item.git_commit,
                        "tool_version": item.tool_version,
                        "plan_digest": item.plan_digest,
                        "added": item.counts.added,
                        "changed": item.counts.changed,
                        "destroyed": item.counts.destroyed,
                        "note": item.note,
                    }
                    for item in revisions
                ],
            }
        )
    if not revisions:
        return "Nothing was applied yet."
    rows = [
        (
            str(item.serial),
            minute(item.at),
            item.actor,
            item.git_commit[:10] + ("-dirty" if item.git_commit.endswith("-dirty") else ""),
            f"+{item.counts.added} ~{item.counts.changed} -{item.counts.destroyed}",
            item.note,
        )
        for item in revisions
    ]
    lines = table(("SERIAL", "WHEN (UTC)", "WHO", "COMMIT", "WHAT", "NOTE"), rows, style.width)
    return "\n".join([style.strong(lines[0]), *lines[1:]])


def entries_text(entries: tuple[HistoryEntry, ...], form: str, style: Style) -> str:
    """What happened to one resource, or in one revision."""
    if form == "json":
        return to_json(
            {
                "format_version": "1.0",
                "entries": [
                    {
                        "serial": item.serial,
                        "at": instant(item.at),
                        "actor": item.actor,
                        "address": str(item.address),
                        "action": item.action,
                        "renamed_from": item.renamed_from or None,
                        "spec": item.spec,
                    }
                    for item in entries
                ],
            }
        )
    if not entries:
        return "Nothing is known of it."
    rows = [
        (
            str(item.serial),
            minute(item.at),
            item.actor,
            item.action + (f" from {item.renamed_from}" if item.renamed_from else ""),
            str(item.address),
        )
        for item in entries
    ]
    lines = table(("SERIAL", "WHEN (UTC)", "WHO", "WHAT", "ADDRESS"), rows, style.width)
    return "\n".join([style.strong(lines[0]), *lines[1:]])


def lease_text(lease: Lease | None) -> str:
    """Who holds the lock."""
    if lease is None:
        return "The state is not locked."
    return (
        f"The state is locked by {lease.holder} on {lease.host} for {lease.operation}\n"
        f"  since    {lease.since:%Y-%m-%d %H:%M:%S} UTC\n"
        f"  expires  {lease.expires:%Y-%m-%d %H:%M:%S} UTC, unless it is renewed\n"
        f"  id       {lease.token}"
    )


def instant(when: datetime) -> str:
    """An instant as machines read it (ISO 8601, UTC)."""
    return when.isoformat(timespec="seconds")


def minute(when: datetime) -> str:
    """An instant as people read it, to the minute, in UTC."""
    return when.strftime("%Y-%m-%d %H:%M")
