"""Queries of a state, within a view that the caller opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, select

from reconciler.errors import StateCorrupt
from reconciler.model.sending import EVERY_SENDING, FINAL, SendingRecord, SendingResult
from reconciler.state import decoding, specs
from reconciler.state.base import HistoryEntry
from reconciler.state.sql import tables
from reconciler.state.sql.streaming import AT_ONCE, streamed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import ColumnElement, Connection, Row, Select, Table

    from reconciler.model.address import Address
    from reconciler.model.resource import Resource
    from reconciler.model.sending import SendingFilter
    from reconciler.model.snapshot import StoredState
    from reconciler.state.specs import Specifications


def single(connection: Connection, table: Table, *, lock: bool = False) -> Row[Any]:
    """The only row of a table, locked against other writers on demand.

    Raises StateCorrupt if it is gone.
    """
    query = select(table)
    row = connection.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise decoding.lacks_row(table.name)
    return row


def load(
    connection: Connection,
    like: Mapping[Address, Resource],
    specifications: Specifications | None,
    *,
    only_resources: bool,
) -> StoredState:
    """Everything, with the history of each resource; resources that equal those of ``like`` are those."""
    return decoding.stored_state(
        single(connection, tables.meta),
        fingerprints=_every(connection, tables.fingerprints),
        tests=() if only_resources else _every(connection, tables.tests),
        resources=_every(connection, tables.resources),
        forgotten=() if only_resources else _forgotten(connection),
        credential_uses=() if only_resources else _every(connection, tables.credential_uses),
        like=like,
        specifications=specifications,
    )


def _every(connection: Connection, table: Table) -> Iterator[Row[Any]]:
    """Yield the rows of a table, which are fetched some at a time."""
    for rows in connection.execute(select(table)).partitions(AT_ONCE):
        yield from rows


_final = tables.sent.alias("final")


def is_ending() -> ColumnElement[bool]:
    """Select the attempts whose end no other row records."""
    return ~select(_final.c.id).where(_final.c.id == tables.sent.c.id + FINAL).exists()


def sent(
    connection: Connection, matching: SendingFilter = EVERY_SENDING, limit: int | None = None
) -> Iterator[SendingRecord]:
    """Yield the newest attempts to send that match, newest first; all of them without a limit."""
    columns = tables.sent.c
    query = (
        select(tables.sent)
        .where(is_ending())
        .order_by(columns.at.desc(), columns.id.desc())
        .limit(limit)
    )
    if matching.since is not None:
        query = query.where(columns.at >= matching.since)
    for name in ("connector", "actor", "message_id", "result", "application"):
        if value := getattr(matching, name):
            query = query.where(columns[name] == str(value))
    return map(sending, streamed(connection, query, interruptible=True))


def sending(row: Row[Any]) -> SendingRecord:
    """Read an attempt to send; raises StateCorrupt."""
    return SendingRecord(**{**row._mapping, "result": _result(row.result)})  # noqa: SLF001 - public so


def _result(text: str) -> SendingResult:
    try:
        return SendingResult(text)
    except ValueError:
        raise StateCorrupt(
            f"the log of sending has an unknown result: {text[:40]!r}",
            hint="restore the state from a backup",
        ) from None


def _forgotten(connection: Connection) -> list[Any]:
    """The forgotten resources whose addresses have not been used since."""
    past, of = tables.history.c, tables.revisions.c
    query = (
        select(past.kind, past.name, past.serial, of.at, of.actor)
        .join(tables.revisions, of.serial == past.serial)
        .where(past.action == "forget")
        .order_by(past.serial, past.position)
    )
    found = []
    for row in connection.execute(query).all():
        here = and_(past.kind == row.kind, past.name == row.name)
        if connection.execute(select(func.max(past.serial)).where(here)).scalar() == row.serial:
            found.append(row)
    return found


def changes_of(connection: Connection, serial: int) -> tuple[HistoryEntry, ...]:
    """What one revision did, in order."""
    query = _entries().where(tables.history.c.serial == serial)
    return _read(connection, query.order_by(tables.history.c.position))


def history(connection: Connection, address: Address, limit: int) -> tuple[HistoryEntry, ...]:
    """The history of the resource with an address or, failing that, of the one that last had it.

    A deleted resource keeps its last address.
    """
    past = tables.history
    here = and_(past.c.kind == address.kind.value, past.c.name == address.name)
    uids = set(connection.execute(select(past.c.uid).where(here)).scalars())
    newest = (
        select(past.c.uid, func.max(past.c.serial).label("serial"))
        .where(past.c.uid.in_(uids))
        .group_by(past.c.uid)
        .subquery()
    )
    bearers = select(past.c.uid).join(
        newest, and_(past.c.uid == newest.c.uid, past.c.serial == newest.c.serial)
    )
    query = _entries().where(
        past.c.uid.in_(set(connection.execute(bearers.where(here)).scalars()) or uids)
    )
    order = (past.c.serial.desc(), past.c.position.desc())
    return _read(connection, query.order_by(*order).limit(limit))


def _entries() -> Select[Any]:
    of = tables.revisions.c
    return select(tables.history, of.at, of.actor, of.git_commit).join(
        tables.revisions, of.serial == tables.history.c.serial
    )


def _read(connection: Connection, query: Select[Any]) -> tuple[HistoryEntry, ...]:
    return tuple(
        HistoryEntry(
            serial=row.serial,
            at=row.at,
            actor=row.actor,
            address=specs.address_of(row.kind, row.name),
            action=row.action,
            spec=None
            if row.spec is None
            else decoding.mapping(row.spec, f"the history of {row.kind}.{row.name}"),
            renamed_from=row.renamed_from,
            git_commit=row.git_commit,
        )
        for row in connection.execute(query)
    )
