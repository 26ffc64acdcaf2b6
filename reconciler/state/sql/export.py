"""Exporting a whole state from a database, and importing it into an empty one."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from reconciler.errors import StateCorrupt
from reconciler.model.resource import canonical_json
from reconciler.state import chain, decoding, specs
from reconciler.state.effects import not_empty, nothing_to_export
from reconciler.state.exported import (
    ExportedAttempt,
    ExportedCredentialUse,
    ExportedEntry,
    ExportedFingerprint,
    ExportedResource,
    ExportedRevision,
    ExportedTest,
    StateExport,
)
from reconciler.state.lease import lost
from reconciler.state.sql import auditing, reading, routing_keys, tables, writing

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection, Executable, Row, Table

_OF_RESOURCE = (
    "uid",
    "kind",
    "name",
    "created_at",
    "modified_at",
    "modified_by",
    "modified_serial",
)


def export(connection: Connection) -> StateExport:
    """Everything in one consistent view; raises StateError if nothing was ever applied."""
    meta = reading.single(connection, tables.meta)
    if not meta.serial:
        raise nothing_to_export()
    prints: dict[str, list[ExportedFingerprint]] = {}
    order = (tables.fingerprints.c.uid, tables.fingerprints.c.reference)
    for row in connection.execute(select(tables.fingerprints).order_by(*order)):
        mark = ExportedFingerprint(reference=row.reference, key_id=row.key_id, mac=row.mac)
        prints.setdefault(row.uid, []).append(mark)
    tests = {row.uid: _test(row) for row in connection.execute(select(tables.tests))}
    past = tables.history.c
    resources = [
        ExportedResource(
            **{name: getattr(row, name) for name in _OF_RESOURCE},
            spec=json.loads(row.spec),
            fingerprints=tuple(sorted(prints.get(row.uid, ()), key=lambda mark: mark.reference)),
            last_test=tests.get(row.uid),
        )
        for row in connection.execute(select(tables.resources))
    ]
    sent = reading.sent(connection)
    return StateExport(
        lineage=meta.lineage,
        serial=meta.serial,
        revisions=tuple(
            ExportedRevision(**row._mapping)  # noqa: SLF001 - public so
            for row in connection.execute(
                select(tables.revisions).order_by(tables.revisions.c.serial)
            )
        ),
        resources=tuple(sorted(resources, key=lambda item: (item.kind, item.name))),
        history=tuple(
            ExportedEntry(
                **{**row._mapping, "spec": None if row.spec is None else json.loads(row.spec)}  # noqa: SLF001 - likewise
            )
            for row in connection.execute(
                select(tables.history).order_by(past.serial, past.position)
            )
        ),
        sent=tuple(sorted(sent, key=lambda item: (item.at, item.id))),
        attempts=tuple(
            ExportedAttempt(**{**row._mapping, "outcome": auditing.outcome(row.outcome)})  # noqa: SLF001 - likewise
            for row in _ordered(connection, tables.attempts)
        ),
        credential_uses=tuple(
            ExportedCredentialUse(**row._mapping)  # noqa: SLF001 - likewise
            for row in _ordered(connection, tables.credential_uses)
        ),
        settings=decoding.settings(meta.settings),
    )


def restore(connection: Connection, new: StateExport, token: str, now: datetime) -> None:
    """Fill an empty state; raises StateConflict if the lease is lost, StateError if it is not empty."""
    held = reading.any_lease(connection, lock=True)
    if held is None or held.token != token:
        raise lost(reading.lease(connection, now))
    meta = reading.single(connection, tables.meta, lock=True)
    if meta.serial:
        raise not_empty(meta.serial)
    connection.execute(update(tables.meta).values(serial=new.serial, lineage=new.lineage))
    _many(connection, insert(tables.revisions), [asdict(item) for item in new.revisions])
    _many(connection, insert(tables.resources), [_resource(item) for item in new.resources])
    routing_keys.rebuild(connection)
    _many(
        connection,
        insert(tables.history),
        [
            {**_flat(item), "spec": None if item.spec is None else canonical_json(item.spec)}
            for item in new.history
        ],
    )
    _many(
        connection,
        insert(tables.fingerprints),
        [{"uid": item.uid, **asdict(mark)} for item in new.resources for mark in item.fingerprints],
    )
    _many(
        connection,
        insert(tables.tests),
        [
            {"uid": item.uid, **_flat(test), "facts": canonical_json(test.facts)}
            for item in new.resources
            if (test := item.last_test) is not None
        ],
    )
    _many(
        connection,
        insert(tables.sent),
        [{**_flat(item), "result": item.result.value} for item in new.sent],
    )
    _many(
        connection,
        insert(tables.attempts),
        [{**_flat(item), "outcome": item.outcome.value} for item in new.attempts],
    )
    _many(connection, insert(tables.credential_uses), [_flat(item) for item in new.credential_uses])
    writing.write_settings(connection, new.settings)
    _link(connection, new)


def _link(connection: Connection, new: StateExport) -> None:
    """Chain the revisions, or verify the chain in the export."""
    for item, (serial, link) in zip(new.revisions, chain.links(connection), strict=True):
        if item.chain and item.chain != link:
            raise StateCorrupt(
                f"the export contradicts itself: revision {serial} does not match its digest",
                hint="Export it again from a state that `reconciler history --verify` finds whole.",
            )
        if not item.chain:
            here = tables.revisions.c.serial == serial
            connection.execute(update(tables.revisions).where(here).values(chain=link))


def _ordered(connection: Connection, table: Table) -> list[Row[Any]]:
    # Sorted here because each database collates text in its own way.
    rows = connection.execute(select(table)).all()
    return sorted(rows, key=lambda row: (row.at, row.id))


def _test(row: Row[Any]) -> ExportedTest:
    values = {item.name: getattr(row, item.name) for item in fields(ExportedTest)}
    return ExportedTest(**{**values, "facts": json.loads(row.facts)})


def _resource(item: ExportedResource) -> dict[str, Any]:
    text = canonical_json(item.spec)
    values = {name: getattr(item, name) for name in _OF_RESOURCE}
    return {**values, "spec": text, "digest": specs.digest_of(text)}


def _flat(item: Any) -> dict[str, Any]:
    return {column.name: getattr(item, column.name) for column in fields(item)}


def _many(connection: Connection, statement: Executable, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(statement, rows)
