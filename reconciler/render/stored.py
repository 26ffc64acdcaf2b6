"""What is stored, for people and for machines: one resource, the history, the lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.resource import JSON, spec_of
from reconciler.plan.diff import leaves
from reconciler.render.human.plan import show
from reconciler.render.json import to_json
from reconciler.render.moment import instant, minute
from reconciler.render.table import pad, table, width_of

if TYPE_CHECKING:
    from reconciler.model.snapshot import StoredResource
    from reconciler.render.style import Style
    from reconciler.state.base import HistoryEntry, Lease, Revision


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
