"""A stored resource and the lock, for people and for machines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, assert_never

from reconciler.model.resource import JSON, spec_of
from reconciler.model.snapshot import Status
from reconciler.plan.diff import leaves
from reconciler.plan.value_source import NO_FIELDS, ValueSource
from reconciler.render.formats import OutputFormat
from reconciler.render.human.changes import show
from reconciler.render.human.sources import made_by, source_remark
from reconciler.render.json import to_json
from reconciler.render.terminal import instant, minute, pad, visible, width_of
from reconciler.wording import BLOCKS

if TYPE_CHECKING:
    from reconciler.model.snapshot import StoredResource
    from reconciler.plan.value_source import ResourceSource
    from reconciler.render.formats import TextOrJson
    from reconciler.render.terminal import Style
    from reconciler.state.base import Lease


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDocument:
    """One stored resource; times are ISO 8601 in UTC, and ``status`` is null for all but connectors.

    ``spec`` has the fields as in `connectors.d/`, completed from the provider. ``source`` is where the
    files write it, and ``sources`` where they write its fields, by dotted path, if their value is
    unchanged; only with `--sources`.
    """

    format_version: Literal["1.0"] = "1.0"
    address: str
    status: Status | None
    created_at: str
    modified_at: str
    modified_by: str
    spec: dict[str, JSON]
    source: ValueSource | None = None
    sources: dict[str, ValueSource] | None = None


def resource_text(
    stored: StoredResource,
    output_format: TextOrJson,
    style: Style,
    *,
    written: ResourceSource | None = None,
) -> str:
    """One stored resource with its fields, or as JSON."""
    match output_format:
        case OutputFormat.HUMAN:
            return _fields(stored, style, written)
        case OutputFormat.JSON:
            return to_json(
                StoredDocument(
                    address=str(stored.address),
                    status=stored.status,
                    created_at=instant(stored.created_at),
                    modified_at=instant(stored.modified_at),
                    modified_by=stored.modified_by,
                    spec=spec_of(stored.resource),
                    source=written.itself if written is not None else None,
                    sources=dict(written.fields) if written is not None else None,
                )
            )
        case _:
            assert_never(output_format)


def _fields(stored: StoredResource, style: Style, written: ResourceSource | None) -> str:
    values: list[tuple[str, JSON]] = list(leaves(spec_of(stored.resource)))
    width = max(width_of(path) for path, _ in values)
    lines = [style.strong(f"# {stored.address}")]
    sources = written.fields if written is not None else NO_FIELDS
    lines += [
        f"    {pad(path, width)} = {show(value, path, most=BLOCKS)}"
        f"{source_remark(sources.get(path), style)}"
        for path, value in values
    ]
    lines.append("")
    if stored.status:
        lines.append(f"  status    {stored.status}{_last_test(stored)}")
    lines.append(f"  created   {minute(stored.created_at)}")
    lines.append(f"  modified  {minute(stored.modified_at)} by {visible(stored.modified_by)}")
    if written is not None:
        made = made_by(written) or written.itself.place
        lines.append(f"  written   {visible(made)}")
    return "\n".join(lines)


def _last_test(stored: StoredResource) -> str:
    test = stored.last_test
    if test is None:
        return ""
    if test.passed:
        return f", tested {minute(test.at)}"
    return f" at {test.stage} ({test.error_class}) since {minute(test.failing_since or test.at)}: {visible(test.summary)}"


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
