"""Writing a revision, within one transaction that the caller opened."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final

from reconciler.model.address import Address, Kind
from reconciler.model.connector import Connector
from reconciler.model.fingerprint import Fingerprint
from reconciler.model.resource import canonical_json
from reconciler.plan.changes import ChangeCounts, Rename
from reconciler.state import chain, decoding, specs
from reconciler.state.base import Commit, Revision
from reconciler.state.effects import Effects, effects, fingerprints_after, moved
from reconciler.state.sql import audit_rows, key_rows, leases
from reconciler.state.sql.rows import ALL

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from collections.abc import Set as AbstractSet

    from reconciler.model.resource import Resource
    from reconciler.model.secret_ref import SecretRef
    from reconciler.model.setting import Setting
    from reconciler.model.snapshot import LastTest
    from reconciler.state.effects import Fingerprints
    from reconciler.state.sql.rows import Rows


def commit(rows: Rows, new: Commit, token: str) -> Revision:
    """Write one apply; raises StateConflict if lease, lineage or serial have changed."""
    leases.require(rows, token)
    meta = rows.single("meta", lock=True)
    if (meta.lineage, meta.serial) != (new.expected_lineage, new.expected_serial):
        raise moved(new, meta.lineage, meta.serial)
    serial = meta.serial + 1
    count = rows.count("resources")
    done = effects(new.changes, _live(rows, _names_in(new)), serial)
    revision = _revision(new, serial)
    rows.update("meta", {"serial": serial, "lineage": meta.lineage or uuid.uuid4().hex})
    entries = _entries(done, serial)
    row = _row_of_revision(revision)
    (before,) = next(rows.select("revisions", ("chain",), {"serial": (serial - 1,)}), ("",))
    rows.insert("revisions", [{**row, "chain": chain.link(before, row, entries)}])
    _write_resources(rows, done, new, serial)
    key_rows.write(rows, done.created, done.changed, all_new=count == len(done.deleted))
    rows.insert("history", entries)
    _write_fingerprints(rows, done, new)
    audit_rows.remember(rows, ((use, new.at) for use in new.credential_uses))
    if new.settings:
        write_settings(rows, new.settings)
    _delete(rows, "tests", done.unsettled)  # a new test ends their series of failures, too
    _write_tests(rows, new.tests, done.live)
    return revision


def written(rows: Rows, commit: Commit) -> Revision | None:
    """The revision that a commit was writing, if it is there, to the microsecond; otherwise None."""
    leases.stored(rows, lock=True)
    revision = _revision(commit, commit.expected_serial + 1)
    row = _row_of_revision(revision)
    found = rows.select("revisions", tuple(row), {"serial": (revision.serial,)})
    return revision if [tuple(item) for item in found] == [tuple(row.values())] else None


def record_tests(rows: Rows, results: tuple[tuple[str, LastTest], ...], serial: int) -> None:
    """Keep results of connectors that did not change after ``serial``."""
    rows.single("meta", lock=True)
    names = {name for name, _ in results}
    _write_tests(rows, results, _live(rows, names, until=serial))


def record_settings(
    rows: Rows,
    settings: tuple[Setting, ...],
    fingerprints: tuple[tuple[str, Fingerprints], ...],
    token: str,
) -> None:
    """Keep the settings in force, and renewed fingerprints; raises StateConflict if the lease was lost."""
    leases.require(rows, token)
    write_settings(rows, settings)
    if fingerprints:
        kind = {"kind": (Kind.EMAIL_CONNECTOR.value,)}
        uids = dict(rows.select("resources", ("name", "uid"), kind))
        supplied = {uids[name]: pairs for name, pairs in fingerprints if name in uids}
        _replace_fingerprints(rows, supplied, _unchanged(rows, supplied.keys()))


def write_settings(rows: Rows, settings: tuple[Setting, ...]) -> None:
    """Replace the stored settings with those in force."""
    text = canonical_json([[item.name, item.value, item.source] for item in settings])
    rows.update("meta", {"settings": text})


def _revision(new: Commit, serial: int) -> Revision:
    return Revision(
        serial=serial,
        at=new.at,
        actor=new.actor,
        actor_source=new.actor_source,
        git_commit=new.git_commit,
        tool_version=new.tool_version,
        plan_digest=new.plan_digest,
        counts=ChangeCounts.of(new.changes),
        note=new.note,
    )


def _row_of_revision(revision: Revision) -> dict[str, Any]:
    """Its row, without the digest that chains it to the one before."""
    return {
        "serial": revision.serial,
        "at": revision.at,
        "actor": revision.actor,
        "actor_source": revision.actor_source,
        "git_commit": revision.git_commit,
        "tool_version": revision.tool_version,
        "plan_digest": revision.plan_digest,
        "added": revision.counts.added,
        "changed": revision.counts.changed,
        "destroyed": revision.counts.destroyed,
        "note": revision.note,
    }


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


def _live(rows: Rows, names: AbstractSet[str], until: int | None = None) -> dict[Address, str]:
    """The uids of resources with these names, and perhaps of others, that did not change after ``until``."""
    among = {"name": names} if len(names) <= _FEW else ALL
    found = rows.select("resources", ("kind", "name", "uid", "modified_serial"), among)
    return {
        specs.address_of(kind, name): uid
        for kind, name, uid, modified in found
        if until is None or modified <= until
    }


def _write_resources(rows: Rows, done: Effects, new: Commit, serial: int) -> None:
    _delete(rows, "resources", done.deleted)
    stamp = {"modified_at": new.at, "modified_by": new.actor, "modified_serial": serial}
    # One resource may take the name of another, so all renamed ones get temporary names first.
    rows.update_each("resources", "uid", [{"uid": uid, "name": f"~{uid}"} for uid in done.changed])
    rows.update_each(
        "resources",
        "uid",
        [
            {"uid": uid, **_row(resource, done.specs[uid]), **stamp}
            for uid, resource in done.changed.items()
        ],
    )
    rows.insert(
        "resources",
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


def _write_fingerprints(rows: Rows, done: Effects, new: Commit) -> None:
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
    touched |= _unchanged(rows, supplied.keys() - touched.keys())
    _replace_fingerprints(rows, supplied, touched)


def _replace_fingerprints(
    rows: Rows, supplied: Mapping[str, Fingerprints], touched: Mapping[str, Connector]
) -> None:
    """Write the fingerprints of connectors, by their uid: those supplied, and the others that they still need."""
    if not touched:
        return
    stored: dict[str, list[tuple[SecretRef, Fingerprint]]] = {}
    columns = ("uid", "reference", "key_id", "mac")
    for uid, text, key_id, mac in rows.select("fingerprints", columns, _of(touched.keys())):
        pair = (decoding.reference(text), Fingerprint(key_id, mac))
        stored.setdefault(uid, []).append(pair)
    kept = {
        uid: fingerprints_after(connector, tuple(stored.get(uid, ())), supplied.get(uid, ()))
        for uid, connector in touched.items()
    }
    _delete(rows, "fingerprints", touched)
    rows.insert(
        "fingerprints",
        [
            {"uid": uid, "reference": str(reference), "key_id": mark.key_id, "mac": mark.mac}
            for uid, pairs in kept.items()
            for reference, mark in pairs
        ],
    )


def _unchanged(rows: Rows, uids: AbstractSet[str]) -> dict[str, Connector]:
    """Connectors whose fingerprints are new although nothing else has changed."""
    found: dict[str, Connector] = {}
    if not uids:
        return found
    columns = ("uid", "kind", "name", "spec", "digest")
    for uid, kind, name, spec, digest in rows.select("resources", columns, _of(uids)):
        if uid in uids:
            resource = specs.decode(specs.address_of(kind, name), spec, digest)
            if isinstance(resource, Connector):
                found[uid] = resource
    return found


def _write_tests(
    rows: Rows, results: tuple[tuple[str, LastTest], ...], live: Mapping[Address, str]
) -> None:
    by_uid = {
        live[address]: result
        for name, result in results
        if (address := Address(Kind.EMAIL_CONNECTOR, name)) in live
    }
    if not by_uid:
        return
    since = dict(rows.select("tests", ("uid", "failing_since"), {"passed": (False,)}))
    by_uid = {uid: result.after(since.get(uid)) for uid, result in by_uid.items()}
    _delete(rows, "tests", by_uid)
    rows.insert(
        "tests",
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


def _of(uids: AbstractSet[str]) -> Mapping[str, Collection[str]]:
    """Selects the rows of so few, or of all."""
    return {"uid": uids} if len(uids) <= _FEW else ALL


def _delete(rows: Rows, table: str, uids: Iterable[str]) -> None:
    rows.delete_each(table, [{"uid": uid} for uid in uids])
