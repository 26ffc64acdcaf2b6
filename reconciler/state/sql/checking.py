"""A check of a whole state: reads everything and names each problem by table, row and column."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Boolean, column, select, table

from reconciler.errors import StateCorrupt, StateError
from reconciler.model.address import Kind
from reconciler.model.secret_ref import SecretRef
from reconciler.model.sending import SendingResult
from reconciler.model.sign_in_attempt import AttemptOutcome
from reconciler.state import specs
from reconciler.state.sql import links, routing_keys, tables
from reconciler.state.sql.faults import WAY_OUT
from reconciler.state.sql.streaming import streamed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Column, Connection, Table

_JSON: Final = {
    "meta.settings": list,
    "resources.spec": dict,
    "history.spec": dict,
    "tests.facts": dict,
}
"""Text columns that hold JSON, and its expected type."""

_REFERENCES: Final = ("fingerprints.reference", "attempts.reference", "credential_uses.reference")
_WORDS: Final = {
    "sent.result": frozenset(SendingResult),
    "attempts.outcome": frozenset(AttemptOutcome),
    "resources.kind": frozenset(Kind),
    "history.kind": frozenset(Kind),
}
"""Text columns that hold one of a few words."""


def explain(connection: Connection, error: Exception) -> Exception:
    """Locate the value that could not be read; return the error itself if every value is valid."""
    for problem in value_problems(connection):
        return StateCorrupt(f"the state is damaged: {problem}", hint=WAY_OUT)
    return error


def problems(connection: Connection) -> Iterator[str]:
    """Yield a sentence for each problem of a state."""
    yield from (f"the file: {said}" for said in _pragma(connection, "integrity_check"))
    wrong = tuple(value_problems(connection))
    yield from wrong
    if wrong:
        return  # the comparisons below would fail on these values
    yield from _serials(connection)
    unreadable = tuple(_specifications(connection))
    yield from unreadable or routing_keys.problems(connection)
    yield from (
        f"revision {serial} does not match its digest: it, or one before it, was changed"
        for serial in broken_links(connection)[:1]
    )


def broken_links(connection: Connection) -> tuple[int, ...]:
    """The revisions whose digest does not match the history."""
    query = select(tables.revisions.c.serial, tables.revisions.c.chain)
    stored = {row.serial: row.chain for row in connection.execute(query)}
    return tuple(serial for serial, link in links.links(connection) if stored[serial] != link)


def value_problems(connection: Connection) -> Iterator[str]:
    """Yield every value of the wrong type for its column."""
    for found in tables.metadata.sorted_tables:
        bare = table(found.name, *(column(item.name) for item in found.columns))
        for row in streamed(connection, select(bare)):
            values = dict(row._mapping)  # noqa: SLF001 - public so
            for item in found.columns:
                problem = value_problem(found, item, values[item.name])
                if problem:
                    yield f"{_row(found, values)}, column {item.name}: {problem}"
    for name in ("meta", "lock"):
        rows = connection.execute(select(table(name, column("id")))).all()
        if len(rows) != 1:
            yield f"table {name} has {len(rows)} rows: expected 1"


def value_problem(of: Table, item: Column[Any], value: Any) -> str:
    """The problem of a value; "" if it is valid."""
    if value is None:
        return "" if item.nullable else "expected a value, found none"
    if isinstance(item.type, Boolean):
        return "" if value in (0, 1) else "expected 0 or 1"
    if isinstance(item.type, tables.UtcDateTime):
        return "" if _is_moment(value) else "expected a point in time"
    if isinstance(item.type, tables.CheckedColumn) and type(value) is not item.type.expected:
        return "expected a whole number" if item.type.expected is int else "expected text"
    return _text_problem(f"{of.name}.{item.name}", value)


def _text_problem(name: str, value: Any) -> str:
    if name in _JSON and not _is_json(value, _JSON[name]):
        return "expected JSON"
    if name in _REFERENCES and not _is_reference(value):
        return "expected a secret reference"
    if name in _WORDS and value not in _WORDS[name]:
        return f"unknown word {value[:40]!r}"
    return ""


def _is_moment(value: Any) -> bool:
    if isinstance(value, datetime):
        return True
    try:
        moment = datetime.fromisoformat(value)
        return moment.tzinfo is not None and moment.astimezone(UTC).tzinfo is UTC
    except (TypeError, ValueError, OverflowError):
        return False


def _is_json(text: str, kind: type) -> bool:
    try:
        return isinstance(json.loads(text), kind)
    except (ValueError, RecursionError):
        return False


def _is_reference(text: str) -> bool:
    try:
        SecretRef.parse(text)
    except ValueError:
        return False
    return True


def _serials(connection: Connection) -> Iterator[str]:
    newest = connection.execute(select(tables.meta.c.serial)).scalar_one()
    serials = set(connection.execute(select(tables.revisions.c.serial)).scalars())
    within = sorted(serial for serial in serials if 1 <= serial <= newest)
    # List gaps and not each missing number: a damaged serial may be huge.
    for before, after in pairwise((0, *within, newest + 1)):
        if after - before == 2:  # noqa: PLR2004 - one number lies between them
            yield f"revision {before + 1} is missing"
        elif after - before > 2:  # noqa: PLR2004 - several
            yield f"revisions {before + 1} to {after - 1} are missing"
    for serial in sorted(serials.difference(within)):
        yield f"revision {serial} is beyond the newest one, {newest}"
    entries = tables.history.c
    positions: dict[int, set[int]] = {}
    for row in streamed(connection, select(entries.serial, entries.position)):
        positions.setdefault(row.serial, set()).add(row.position)
    for serial, found in sorted(positions.items()):
        if serial not in serials:
            yield f"the history contains revision {serial}, which does not exist"
        elif found != set(range(len(found))):
            yield f"the history of revision {serial} has gaps"


def _specifications(connection: Connection) -> Iterator[str]:
    for row in streamed(connection, select(tables.resources)):
        try:
            specs.decode(specs.address_of(row.kind, row.name), row.spec, row.digest)
        except StateError as error:
            yield error.message
    for row in streamed(
        connection, select(tables.history).where(tables.history.c.spec.is_not(None))
    ):
        try:
            specs.read(specs.address_of(row.kind, row.name), row.spec)
        except StateError as error:
            yield f"revision {row.serial}: {error.message}"


def _row(of: Table, values: dict[str, Any]) -> str:
    key = ", ".join(f"{item.name} {str(values[item.name])[:60]!r}" for item in of.primary_key)
    return f"table {of.name}, row {key}"


def _pragma(connection: Connection, name: str) -> tuple[str, ...]:
    """The problems SQLite reports; none for other databases, which check their own pages."""
    if connection.dialect.name != "sqlite":
        return ()
    found = connection.exec_driver_sql(f"PRAGMA {name}").scalars()
    return tuple(str(item) for item in found if item != "ok")
