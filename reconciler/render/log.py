"""The audit of sending, newest first: a table for people, all fields for machines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from reconciler.model.domain import with_a_label
from reconciler.model.sending import SendingResult
from reconciler.render.formats import OutputFormat
from reconciler.render.json import json_lines, json_pieces
from reconciler.render.terminal import instant, minute, natural_width, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.model.sending import SendingRecord
    from reconciler.render.formats import EntryFormat
    from reconciler.render.terminal import Style


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One attempt to send one mail; ``at`` is ISO 8601 in UTC, ``size`` in octets.

    ``sender`` is the requested From, ``from_address`` the one it went out with. ``code`` and ``status``
    are the server's reply code and enhanced status code; unknown values are null, empty or 0.
    ``application`` handed the mail to the gateway; ``asked_connector`` is the one that the request
    named, ``reason`` why the route was taken.
    """

    id: str
    at: str
    actor: str
    actor_source: str
    connector: str
    host: str
    message_id: str
    sender: str
    from_address: str
    recipients: int
    accepted: int
    size: int
    result: SendingResult
    code: int | None
    status: str
    sentence: str
    copy: str
    application: str
    asked_connector: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogDocument:
    """Attempts to send mail, newest first."""

    format_version: str = "1.0"
    entries: tuple[LogEntry, ...]


def log_pieces(records: Iterable[SendingRecord], output_format: EntryFormat) -> Iterator[str]:
    """Yield the text of attempts for machines, one after the other."""
    entries = map(_entry, records)
    match output_format:
        case OutputFormat.JSON:
            return json_pieces(LogDocument(entries=()), entries)
        case OutputFormat.JSON_LINES:
            return json_lines(entries)
        case _:
            assert_never(output_format)


def _entry(record: SendingRecord) -> LogEntry:
    return LogEntry(
        id=record.id,
        at=instant(record.at),
        actor=record.actor,
        actor_source=record.actor_source,
        connector=record.connector,
        host=record.host,
        message_id=record.message_id,
        sender=record.sender,
        from_address=record.from_address,
        recipients=record.recipients,
        accepted=record.accepted,
        size=record.size,
        result=record.result,
        code=record.code,
        status=record.enhanced,
        sentence=record.sentence,
        copy=record.copy,
        application=record.application,
        asked_connector=record.asked_connector,
        reason=record.reason,
    )


_THOUSAND = 1000
_TELLING = 40
"""The columns that a result needs before other columns get any."""

_DISPENSABLE = ("WHY", "HOST", "MESSAGE-ID", "SIZE", "FROM", "APPLICATION")
"""Columns that a narrow terminal omits, in this order; JSON has them all."""


def log_text(records: tuple[SendingRecord, ...], style: Style, nothing: str) -> str:
    """The attempts as a table, or ``nothing`` if there are none."""
    return _table(records, style) if records else nothing


def _table(records: tuple[SendingRecord, ...], style: Style) -> str:
    columns = {
        "WHEN (UTC)": [minute(item.at) for item in records],
        "WHO": [item.actor for item in records],
        "APPLICATION": [item.application or "-" for item in records],
        "CONNECTOR": [item.connector or "-" for item in records],
        "FROM": [item.from_address or item.sender or "-" for item in records],
        "WHY": [_why(item) for item in records],
        "HOST": [with_a_label(item.host) or "-" for item in records],
        "MESSAGE-ID": [item.message_id or "-" for item in records],
        "TO": [_recipients(item) for item in records],
        "SIZE": [size_text(item.size) if item.size else "-" for item in records],
        "RESULT": [_result(item) for item in records],
    }
    for name in ("WHY", "APPLICATION"):
        if set(columns[name]) == {"-"}:
            del columns[name]  # nothing was sent
    for name in _DISPENSABLE:
        if name not in columns:
            continue
        # The sentence of a result may be cut; everything else is there whole, or not at all.
        rows = [tuple(columns), *zip(*columns.values(), strict=True)]
        if natural_width([(*row[:-1], row[-1][:_TELLING]) for row in rows]) > style.width:
            del columns[name]
    rows = list(zip(*columns.values(), strict=True))
    lines = table(tuple(columns), rows, style.width, gives=(-1, 1))
    dressed = [style.strong(lines[0])]
    paint = {
        SendingResult.PARTLY: style.changed,
        SendingResult.TEMPORARY: style.changed,
        SendingResult.UNCERTAIN: style.removed,
        SendingResult.REFUSED: style.removed,
    }
    for line, item in zip(lines[1:], records, strict=True):
        dress = paint.get(item.result)
        dressed.append(dress(line) if dress else line)
    return "\n".join(dressed)


def _why(record: SendingRecord) -> str:
    """Why the route was taken, and the requested connector if another one carried it."""
    other = record.asked_connector not in ("", record.connector)
    return (
        f"{record.reason or '-'}, not {record.asked_connector}" if other else record.reason or "-"
    )


def _recipients(record: SendingRecord) -> str:
    """The number of recipients, and how many of them were accepted if not all."""
    if not record.recipients:
        return "-"
    if record.accepted == record.recipients:
        return str(record.recipients)
    return f"{record.accepted} of {record.recipients}"


def _result(record: SendingRecord) -> str:
    if record.result is SendingResult.SENT:
        return "sent, but no copy" if record.copy == "failed" else "sent"
    return f"{record.result}: {record.sentence}" if record.sentence else record.result


def size_text(octets: int) -> str:
    """A size for people, in powers of 1000: ``15.2 MB``."""
    size = float(octets)
    for unit in ("B", "kB", "MB"):
        if size < _THOUSAND:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= _THOUSAND
    return f"{size:.1f} GB"
