"""Exporting a whole state from a database, and importing it into an empty one, a few rows at a time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from reconciler.errors import StateCorrupt
from reconciler.model.resource import canonical_json
from reconciler.state import decoding, specs
from reconciler.state.effects import not_empty, nothing_to_export
from reconciler.state.exported import (
    ExportedAttempt,
    ExportedCredentialUse,
    ExportedEntry,
    ExportedFingerprint,
    ExportedLoss,
    ExportedResource,
    ExportedRevision,
    ExportedTest,
    Part,
)
from reconciler.state.sql import auditing, key_rows, leases, links, reading, tables, writing
from reconciler.state.sql.streaming import as_python, portions, streamed, write_streamed
from reconciler.values import field_names, members

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection, Row, Select, Table

    from reconciler.state.exported import Item, WholeState
    from reconciler.state.sql.rows import Rows

_OF_RESOURCE = (
    "uid",
    "kind",
    "name",
    "created_at",
    "modified_at",
    "modified_by",
    "modified_serial",
)


class StoredWhole:
    """Implements :class:`reconciler.state.exported.WholeState` in one view, for as long as it is open.

    Raises StateError if nothing was ever applied. A signal that ends the command is acted upon between two portions.
    """

    losses: tuple[ExportedLoss, ...] = ()

    def __init__(self, connection: Connection) -> None:
        meta = reading.single(connection, tables.meta)
        if not meta.serial:
            raise nothing_to_export()
        self._connection = connection
        self.lineage: str = meta.lineage
        self.serial: int = meta.serial
        self.settings = decoding.settings(meta.settings)
        past, of = tables.history.c, tables.resources.c
        ordered = select(tables.revisions).order_by(tables.revisions.c.serial)
        self.revisions = self._each(ordered, _revision)
        self.history = self._each(
            select(tables.history).order_by(past.serial, past.position), _entry
        )
        self.sent = self._each(
            self._by_time(tables.sent).where(reading.is_ending()), reading.sending
        )
        self.attempts = self._each(self._by_time(tables.attempts), _attempt)
        self.credential_uses = self._each(self._by_time(tables.credential_uses), _use)
        named = select(tables.resources).order_by(
            as_python(connection, of.kind), as_python(connection, of.name)
        )
        self.resources = Part(lambda: self._resources(named))

    def _by_time(self, table: Table) -> Select[Any]:
        return select(table).order_by(table.c.at, as_python(self._connection, table.c.id))

    def _each(self, query: Select[Any], read: Callable[[Row[Any]], Item]) -> Part[Item]:
        return Part(lambda: map(read, streamed(self._connection, query, interruptible=True)))

    def _resources(self, query: Select[Any]) -> Iterator[ExportedResource]:
        for rows in portions(self._connection, query, interruptible=True):
            uids = [row.uid for row in rows]
            prints: dict[str, list[ExportedFingerprint]] = {}
            for row in self._of(tables.fingerprints, uids):
                mark = ExportedFingerprint(reference=row.reference, key_id=row.key_id, mac=row.mac)
                prints.setdefault(row.uid, []).append(mark)
            tests = {row.uid: _test(row) for row in self._of(tables.tests, uids)}
            for row in rows:
                marks = sorted(prints.get(row.uid, ()), key=lambda mark: mark.reference)
                yield ExportedResource(
                    **{name: getattr(row, name) for name in _OF_RESOURCE},
                    spec=json.loads(row.spec),
                    fingerprints=tuple(marks),
                    last_test=tests.get(row.uid),
                )

    def _of(self, table: Table, uids: list[str]) -> list[Row[Any]]:
        return list(self._connection.execute(select(table).where(table.c.uid.in_(uids))))


def restore(connection: Connection, rows: Rows, new: WholeState, token: str) -> None:
    """Fill an empty state, whose rows in this transaction are ``rows``.

    Raises StateConflict if the lease is lost, StateError if the state is not empty.
    """
    leases.require(rows, token)
    meta = rows.single("meta", lock=True)
    if meta.serial:
        raise not_empty(meta.serial)
    rows.update("meta", {"serial": new.serial, "lineage": new.lineage})
    for table, items in (
        (tables.revisions, (members(item) for item in new.revisions)),
        (tables.resources, (_resource_row(item) for item in new.resources)),
        (tables.history, (_entry_row(item) for item in new.history)),
        (tables.fingerprints, (row for item in new.resources for row in _mark_rows(item))),
        (tables.tests, (row for item in new.resources for row in _test_rows(item))),
        (tables.sent, ({**members(item), "result": item.result.value} for item in new.sent)),
        (tables.attempts,
         ({**members(item), "outcome": item.outcome.value} for item in new.attempts)),
        (tables.credential_uses, (members(item) for item in new.credential_uses)),
    ):  # fmt: skip
        write_streamed(connection, insert(table), items)
    key_rows.rebuild(rows)
    writing.write_settings(rows, new.settings)
    _link(connection, new)


def _link(connection: Connection, new: WholeState) -> None:
    """Chain the revisions, or verify the chain in the export."""
    missing = []
    for item, (serial, link) in zip(new.revisions, links.links(connection), strict=True):
        if item.chain and item.chain != link:
            raise StateCorrupt(
                f"the export contradicts itself: revision {serial} does not match its digest",
                hint="Export it again from a state that `reconciler history --verify` finds whole.",
            )
        if not item.chain:
            missing.append((serial, link))
    for serial, link in missing:
        here = tables.revisions.c.serial == serial
        connection.execute(update(tables.revisions).where(here).values(chain=link))


def _revision(row: Row[Any]) -> ExportedRevision:
    return ExportedRevision(**row._mapping)  # noqa: SLF001 - public so


def _entry(row: Row[Any]) -> ExportedEntry:
    spec = None if row.spec is None else json.loads(row.spec)
    return ExportedEntry(**{**row._mapping, "spec": spec})  # noqa: SLF001 - likewise


def _attempt(row: Row[Any]) -> ExportedAttempt:
    return ExportedAttempt(**{**row._mapping, "outcome": auditing.outcome(row.outcome)})  # noqa: SLF001 - likewise


def _use(row: Row[Any]) -> ExportedCredentialUse:
    return ExportedCredentialUse(**row._mapping)  # noqa: SLF001 - likewise


def _test(row: Row[Any]) -> ExportedTest:
    values = {name: getattr(row, name) for name in field_names(ExportedTest)}
    return ExportedTest(**{**values, "facts": json.loads(row.facts)})


def _resource_row(item: ExportedResource) -> dict[str, Any]:
    text = canonical_json(item.spec)
    values = {name: getattr(item, name) for name in _OF_RESOURCE}
    return {**values, "spec": text, "digest": specs.digest_of(text)}


def _entry_row(item: ExportedEntry) -> dict[str, Any]:
    return {**members(item), "spec": None if item.spec is None else canonical_json(item.spec)}


def _mark_rows(item: ExportedResource) -> Iterator[dict[str, Any]]:
    return ({"uid": item.uid, **members(mark)} for mark in item.fingerprints)


def _test_rows(item: ExportedResource) -> Iterator[dict[str, Any]]:
    test = item.last_test
    if test is not None:
        yield {"uid": item.uid, **members(test), "facts": canonical_json(test.facts)}
