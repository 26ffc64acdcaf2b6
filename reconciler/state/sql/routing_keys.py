"""Reading and checking the lookup keys for one mail's connectors and groups.

They follow from the resources, whose specifications are checked by their digests when they are read. Where a key itself
is the answer, as to whether a user is a member, the digest of its row is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, or_, select

from reconciler.routing import keys
from reconciler.state import routing_rows, specs
from reconciler.state.routing_rows import HINT, mark_of
from reconciler.state.sql import reading, tables
from reconciler.state.sql.key_rows import KINDS, kept
from reconciler.state.sql.streaming import portions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sqlalchemy import ColumnElement, Connection, Row, Select

    from reconciler.model.address import Kind
    from reconciler.model.resource import Resource
    from reconciler.routing.excerpt import RoutingExcerpt
    from reconciler.routing.keys import RoutingNeeds


def excerpt(connection: Connection, needs: RoutingNeeds) -> RoutingExcerpt | None:
    """Read what the routing of one mail needs.

    None if the keys are another release's, or nothing was applied.
    """
    return routing_rows.excerpt(StoredRows(connection), needs)


class StoredRows:
    """Implements :class:`reconciler.state.routing_rows.RoutingRows`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def newest(self) -> tuple[int, str] | None:
        """The serial and the digest of the plan of the newest revision."""
        columns = tables.revisions.c
        query = select(columns.serial, columns.plan_digest).order_by(columns.serial.desc())
        row = self._connection.execute(query.limit(1)).first()
        return (row.serial, row.plan_digest) if row is not None else None

    def edition(self) -> str:
        """The edition of the keys."""
        found: str = reading.single(self._connection, tables.meta).routing
        return found

    def resources(self, names: Mapping[Kind, list[str]]) -> Iterable[Any]:
        """The kind, name, specification and digest of the resources of these names."""
        columns = tables.resources.c
        here: list[ColumnElement[bool]] = [
            and_(columns.kind == kind.value, columns.name.in_(these))
            for kind, these in names.items()
        ]
        query = select(columns.kind, columns.name, columns.spec, columns.digest).where(or_(*here))
        return self._connection.execute(query)

    def holders(self, kind: Kind, role: str, texts: list[str]) -> Iterable[Any]:
        """The name and uid of the resources of a kind that have one of the keys; the key, and its mark."""
        of, columns = tables.resources.c, tables.routing_keys.c
        query = (
            select(of.name, columns.uid, columns.key, columns.mark)
            .join(tables.resources, of.uid == columns.uid)
            .where(columns.role == role, columns.key.in_(texts), of.kind == kind.value)
        )
        return self._connection.execute(query)

    def holder_of_any(self, role: str, key: str) -> tuple[str, str] | None:
        """The uid of a resource that has a key, and the key's mark."""
        columns = tables.routing_keys.c
        query = select(columns.uid, columns.mark).where(columns.role == role, columns.key == key)
        row = self._connection.execute(query.limit(1)).first()
        return (row.uid, row.mark) if row is not None else None


def problems(connection: Connection) -> Iterator[str]:
    """Yield a sentence for each resource whose keys are wrong."""
    if not keys.is_readable(reading.single(connection, tables.meta).routing):
        return
    columns = tables.routing_keys.c
    for rows in portions(connection, _found_by_keys()):
        stored: dict[str, set[tuple[str, str, str]]] = {row.uid: set() for row in rows}
        query = select(columns.uid, columns.role, columns.key, columns.mark)
        for uid, role, key, mark in connection.execute(query.where(columns.uid.in_(stored))):
            stored[uid].add((role, key, mark))
        for row in rows:
            resource = _decoded(row)
            if stored[row.uid] != {(*found, mark_of(row.uid, *found)) for found in kept(resource)}:
                yield f"the keys that {resource.address} is found by do not match it: {HINT}"


def _found_by_keys() -> Select[Any]:
    return select(tables.resources).where(tables.resources.c.kind.in_(KINDS))


def _decoded(row: Row[Any]) -> Resource:
    return specs.decode(specs.address_of(row.kind, row.name), row.spec, row.digest)
