"""Writing a revision, within one transaction that the caller opened."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, delete, func, insert, select, update

from reconciler.model.address import Address, Kind
from reconciler.model.connector import Connector
from reconciler.model.fingerprint import Fingerprint
from reconciler.model.resource import canonical_json
from reconciler.plan.changes import ChangeCounts, Rename
from reconciler.state import chain, decoding, specs
from reconciler.state.base import Commit, Revision
from reconciler.state.effects import Effects, effects, fingerprints_after, moved
from reconciler.state.lease import lost
from reconciler.state.sql import auditing, reading, routing_keys, tables
from reconciler.state.sql.streaming import write_many
from reconciler.values import members

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from collections.abc import Set as AbstractSet
    from datetime import datetime

    from sqlalchemy import Connection, Table

    from reconciler.model.resource import Resource
    from reconciler.model.secret_ref import SecretRef
    from reconciler.model.sending import SendingRecord
    from reconciler.model.setting import Setting
    from reconciler.model.snapshot import LastTest
    from reconciler.state.effects import Fingerprints


def commit(connection: Connection, new: Commit, token: str, now: datetime) -> Revision:
    """Write one apply; raises StateConflict if lease, lineage or serial have changed.

    Only the token of the lease is compared: an expired lease that nobody took over is still
    exclusive, because taking it over changes the token.
    """
    held = reading.any_lease(connection, lock=True)
    if held is None or held.token != token:
        raise lost(reading.lease(connection, now))
    meta = reading.single(connection, tables.meta, lock=True)
    if (meta.lineage, meta.serial) != (new.expected_lineage, new.expected_serial):
        raise moved(new, meta.lineage, meta.serial)
    serial = meta.serial + 1
    stored = connection.execute(select(func.count()).select_from(tables.resources)).scalar_one()
    done = effects(new.changes, _live(connection, _names_in(new)), serial)
    counts = ChangeCounts.of(new.changes)
    connection.execute(
        update(tables.meta).values(serial=serial, lineage=meta.lineage or uuid.uuid4().hex)
    )
    row = {
        "serial": serial,
        "at": new.at,
        "actor": new.actor,
        "actor_source": new.actor_source,
        "git_commit": new.git_commit,
        "tool_version": new.tool_version,
        "plan_digest": new.plan_digest,
        "added": counts.added,
        "changed": counts.changed,
        "destroyed": counts.destroyed,
        "note": new.note,
    }
    entries = _entries(done, serial)
    before = reading.newest_link(connection, serial - 1)
    connection.execute(
        insert(tables.revisions).values(**row, chain=chain.link(before, row, entries))
    )
    _write_resources(connection, done, new, serial)
    all_new = stored == len(done.deleted)
    routing_keys.write(connection, done.created, done.changed, all_new=all_new)
    write_many(connection, insert(tables.history), entries)
    _write_fingerprints(connection, done, new)
    auditing.remember(connection, ((use, new.at) for use in new.credential_uses))
    if new.settings:
        write_settings(connection, new.settings)
    _delete(
        connection, tables.tests, done.unsettled
    )  # a new test ends their series of failures, too
    _write_tests(connection, new.tests, done.live)
    return Revision(
        serial=serial,
        at=new.at,
        actor=new.actor,
        actor_source=new.actor_source,
        git_commit=new.git_commit,
        tool_version=new.tool_version,
        plan_digest=new.plan_digest,
        counts=counts,
        note=new.note,
    )


def record_tests(
    connection: Connection, results: tuple[tuple[str, LastTest], ...], serial: int
) -> None:
    """Keep results of connectors that did not change after ``serial``."""
    reading.single(connection, tables.meta, lock=True)
    names = {name for name, _ in results}
    _write_tests(connection, results, _live(connection, names, until=serial))


def record_settings(
    connection: Connection,
    settings: tuple[Setting, ...],
    fingerprints: tuple[tuple[str, Fingerprints], ...],
    token: str,
    now: datetime,
) -> None:
    """Keep the settings in force, and renewed fingerprints; raises StateConflict if the lease was lost."""
    held = reading.any_lease(connection, lock=True)
    if held is None or held.token != token:
        raise lost(reading.lease(connection, now))
    write_settings(connection, settings)
    if fingerprints:
        kind = tables.resources.c.kind == Kind.EMAIL_CONNECTOR
        rows = connection.execute(
            select(tables.resources.c.name, tables.resources.c.uid).where(kind)
        )
        uids = {row.name: row.uid for row in rows}
        supplied = {uids[name]: pairs for name, pairs in fingerprints if name in uids}
        _replace_fingerprints(connection, supplied, _unchanged(connection, supplied.keys()))


def write_settings(connection: Connection, settings: tuple[Setting, ...]) -> None:
    """Replace the stored settings with those in force."""
    text = canonical_json([[item.name, item.value, item.source] for item in settings])
    connection.execute(update(tables.meta).values(settings=text))


def record_sent(connection: Connection, record: SendingRecord) -> None:
    """Add one attempt to send to the audit."""
    values = members(record)
    connection.execute(_ADDITION, values | {"result": record.result.value})


_ADDITION = insert(tables.sent)
"""Built once: building it for every mail would take longer than the insert."""


def forget_sent(connection: Connection, before: datetime) -> int:
    """Remove the attempts to send made before a moment, and return their number."""
    old = tables.sent.c.at < before
    attempts = connection.execute(
        select(func.count()).select_from(tables.sent).where(old, reading.is_ending())
    ).scalar_one()
    connection.execute(delete(tables.sent).where(old))
    return attempts


_FEW: Final = 500
"""Up to so many rows are looked up by their names or uids; of more, all are read."""


def _names_in(new: Commit) -> set[str]:
    """The names of all resources that a commit touches, before and after it."""
    names = {name for name, _ in (*new.fingerprints, *new.tests)}
    for change in new.changes:
        names.add(change.address.name)
        if isinstance(change, Rename):
            names.add(change.before.address.name)
    return names


def _live(
    connection: Connection, names: AbstractSet[str], until: int | None = None
) -> dict[Address, str]:
    """The uids of resources with these names, and perhaps of others."""
    columns = tables.resources.c
    query = select(columns.kind, columns.name, columns.uid)
    if len(names) <= _FEW:
        query = query.where(columns.name.in_(names))
    if until is not None:
        query = query.where(columns.modified_serial <= until)
    return {specs.address_of(kind, name): uid for kind, name, uid in connection.execute(query)}


def _write_resources(connection: Connection, done: Effects, new: Commit, serial: int) -> None:
    _delete(connection, tables.resources, done.deleted)
    stamp = {"modified_at": new.at, "modified_by": new.actor, "modified_serial": serial}
    changed = [
        {"of": uid, **_row(resource, done.specs[uid]), **stamp}
        for uid, resource in done.changed.items()
    ]
    this = tables.resources.c.uid == bindparam("of")
    # One resource may take the name of another, so all renamed ones get temporary names first.
    aside = [{"of": uid, "name": f"~{uid}"} for uid in done.changed]
    write_many(
        connection, update(tables.resources).where(this).values(name=bindparam("name")), aside
    )
    columns: dict[str, Any] = {name: bindparam(name) for name in (*_COLUMNS, *stamp)}
    write_many(connection, update(tables.resources).where(this).values(columns), changed)
    write_many(
        connection,
        insert(tables.resources),
        [
            {"uid": uid, **_row(resource, done.specs[uid]), "created_at": new.at, **stamp}
            for uid, resource in done.created.items()
        ],
    )


_COLUMNS = ("kind", "name", "spec", "digest")


def _row(resource: Resource, text: str) -> dict[str, Any]:
    address = resource.address
    values = (address.kind.value, address.name, text, specs.digest_of(text))
    return dict(zip(_COLUMNS, values, strict=True))


def _entries(done: Effects, serial: int) -> list[dict[str, Any]]:
    return [
        {
            "serial": serial,
            "position": position,
            "uid": event.uid,
            "kind": event.address.kind.value,
            "name": event.address.name,
            "action": event.action,
            "spec": event.spec,
            "renamed_from": event.renamed_from,
        }
        for position, event in enumerate(done.events)
    ]


def _write_fingerprints(connection: Connection, done: Effects, new: Commit) -> None:
    supplied = {
        done.live[address]: pairs
        for name, pairs in new.fingerprints
        if (address := Address(Kind.EMAIL_CONNECTOR, name)) in done.live
    }
    touched = {
        uid: resource
        for uid, resource in (*done.created.items(), *done.changed.items())
        if isinstance(resource, Connector)
    }
    touched |= _unchanged(connection, supplied.keys() - touched.keys())
    _replace_fingerprints(connection, supplied, touched)


def _replace_fingerprints(
    connection: Connection, supplied: Mapping[str, Fingerprints], touched: Mapping[str, Connector]
) -> None:
    """Write the fingerprints of connectors, by their uid: those supplied, and the others that they still need."""
    if not touched:
        return
    stored: dict[str, list[tuple[SecretRef, Fingerprint]]] = {}
    query = select(tables.fingerprints)
    if len(touched) <= _FEW:
        query = query.where(tables.fingerprints.c.uid.in_(touched))
    for uid, text, key_id, mac in connection.execute(query):
        pair = (decoding.reference(text), Fingerprint(key_id, mac))
        stored.setdefault(uid, []).append(pair)
    kept = {
        uid: fingerprints_after(connector, tuple(stored.get(uid, ())), supplied.get(uid, ()))
        for uid, connector in touched.items()
    }
    _delete(connection, tables.fingerprints, touched)
    write_many(
        connection,
        insert(tables.fingerprints),
        [
            {"uid": uid, "reference": str(reference), "key_id": mark.key_id, "mac": mark.mac}
            for uid, pairs in kept.items()
            for reference, mark in pairs
        ],
    )


def _unchanged(connection: Connection, uids: AbstractSet[str]) -> dict[str, Connector]:
    """Connectors whose fingerprints are new although nothing else has changed."""
    found: dict[str, Connector] = {}
    if not uids:
        return found
    query = select(tables.resources)
    if len(uids) <= _FEW:
        query = query.where(tables.resources.c.uid.in_(uids))
    for row in connection.execute(query):
        if row.uid in uids:
            resource = specs.decode(specs.address_of(row.kind, row.name), row.spec, row.digest)
            if isinstance(resource, Connector):
                found[row.uid] = resource
    return found


def _write_tests(
    connection: Connection,
    results: tuple[tuple[str, LastTest], ...],
    live: Mapping[Address, str],
) -> None:
    by_uid = {
        live[address]: result
        for name, result in results
        if (address := Address(Kind.EMAIL_CONNECTOR, name)) in live
    }
    since = reading.failing(connection) if by_uid else {}
    by_uid = {uid: result.after(since.get(uid)) for uid, result in by_uid.items()}
    _delete(connection, tables.tests, by_uid)
    write_many(
        connection,
        insert(tables.tests),
        [
            {
                "uid": uid,
                "passed": result.passed,
                "at": result.at,
                "stage": result.stage,
                "error_class": result.error_class,
                "summary": result.summary,
                "failing_since": result.failing_since,
                "facts": canonical_json(result.facts),
            }
            for uid, result in by_uid.items()
        ],
    )


def _delete(connection: Connection, table: Table, uids: Iterable[str]) -> None:
    rows = [{"of": uid} for uid in uids]
    write_many(connection, delete(table).where(table.c.uid == bindparam("of")), rows)
