"""The list of stored connectors: provider, status, and who changed them last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from reconciler.model.connector import Connector
from reconciler.model.snapshot import Status
from reconciler.render.formats import OutputFormat
from reconciler.render.json import to_json
from reconciler.render.terminal import instant, natural_width, table, visible
from reconciler.wording import TO_ACT_ON, listed

if TYPE_CHECKING:
    from reconciler.model.snapshot import StoredResource, StoredState
    from reconciler.render.formats import StatusReportFormat, TextOrJson
    from reconciler.render.terminal import Style


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorStatus:
    """A stored connector; times are ISO 8601 in UTC.

    ``failing_since`` is the time of the first of its uninterrupted failures.
    """

    name: str
    display_name: str
    type: str
    labels: tuple[str, ...]
    status: str
    stage: str | None
    error_class: str | None
    failing_since: str | None
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
    """Convert stored connectors to their published form."""
    rows = [_status(item, item.resource) for item in stored if isinstance(item.resource, Connector)]
    return StatusDocument(lineage=state.lineage, serial=state.serial, connectors=tuple(rows))


def _status(stored: StoredResource, connector: Connector) -> ConnectorStatus:
    test = stored.last_test
    failed = test if test is not None and not test.passed else None
    return ConnectorStatus(
        name=connector.name,
        display_name=connector.display_name,
        type=kind_of(connector),
        labels=connector.labels,
        status=stored.status or "",
        stage=failed.stage if failed else None,
        error_class=failed.error_class if failed else None,
        failing_since=instant(failed.failing_since or failed.at) if failed else None,
        tested_at=instant(test.at) if test else None,
        modified_at=instant(stored.modified_at),
        modified_by=stored.modified_by,
    )


def kind_of(connector: Connector) -> str:
    """A connector in a word or two: its provider, or its protocols."""
    if connector.provider:
        return connector.provider
    protocols = ["IMAP"] if connector.imap else []
    if connector.enable_mail_send_from:
        protocols.append("SMTP")
    return "+".join(protocols) or "none"


_DISPENSABLE = ("DISPLAY NAME", "MODIFIED BY", "TYPE", "MODIFIED (UTC)")
"""Columns that a narrow terminal leaves out, in this order; ``show`` has all of them."""


def status_text(
    document: StatusDocument, output_format: TextOrJson, style: Style, nothing: str = ""
) -> str:
    """The list as a table, or ``nothing`` for an empty one; or as JSON."""
    match output_format:
        case OutputFormat.HUMAN:
            return _table(document, style) if document.connectors else nothing
        case OutputFormat.JSON:
            return to_json(document)
        case _:
            assert_never(output_format)


def status_report(document: StatusDocument, output_format: StatusReportFormat) -> str:
    """The list, for a file."""
    match output_format:
        case OutputFormat.JSON:
            return to_json(document)
        case OutputFormat.HTML:
            from reconciler.render.html.tests import status_page  # noqa: PLC0415 - only where it is written

            return status_page(document)
        case _:
            assert_never(output_format)


def _table(document: StatusDocument, style: Style) -> str:
    columns = {
        "NAME": [item.name for item in document.connectors],
        "DISPLAY NAME": [item.display_name for item in document.connectors],
        "TYPE": [item.type for item in document.connectors],
        "MODIFIED (UTC)": [item.modified_at.replace("T", " ")[:16] for item in document.connectors],
        "MODIFIED BY": [item.modified_by for item in document.connectors],
        "STATUS": [_status_words(item) for item in document.connectors],
    }
    for name in _DISPENSABLE:
        if natural_width([tuple(columns), *zip(*columns.values(), strict=True)]) > style.width:
            del columns[name]
    rows = list(zip(*columns.values(), strict=True))
    lines = table(tuple(columns), rows, style.width, gives=(-1, 0))
    paint = {Status.READY: style.added, Status.FAILING: style.removed}
    dressed = [style.strong(lines[0])]
    for line, item in zip(lines[1:], document.connectors, strict=True):
        dress = paint.get(Status(item.status), style.faint)
        start = line.rindex("  ") + 2
        dressed.append(line[:start] + dress(line[start:]))
    return "\n".join(dressed)


def nothing_listed(
    state: StoredState, names: tuple[str, ...], labels: tuple[str, ...], only: str | None
) -> str:
    """Why the list is empty: nothing is stored, or nothing matches."""
    if not state.serial:
        return "Nothing was applied yet. Start with `reconciler plan`."
    known = [item.address.name for item in state.resources if item.status is not None]
    if not known:
        return "No connector is stored."
    asked = [f"named {' or '.join(names)}"] if names else []
    asked += [f"labelled {label}" for label in labels]
    asked += [f"that is {only}"] if only else []
    return visible(
        f"No stored connector {' and '.join(asked)}. Stored: {listed(known, TO_ACT_ON)}."
    )


def _status_words(item: ConnectorStatus) -> str:
    if item.failing_since is None:
        return item.status
    since = item.failing_since[:16].replace("T", " ")
    return f"failing at {item.stage} ({item.error_class}) since {since}"
