"""The keys that one mail's connectors and groups are found by: written with every revision, and read for a mail.

They follow from the resources, whose specifications are checked by their digests when they are read. Where a key itself
is the answer, as to whether a user is a member, the digest of its row is.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, bindparam, delete, insert, or_, select, update

from reconciler.errors import StateCorrupt
from reconciler.model.address import SINGLETON_NAME, Kind
from reconciler.model.directory import Group, Roles
from reconciler.model.domain import address_key, domain_key
from reconciler.model.fields import NAME_PATTERN
from reconciler.model.permissions import Permissions, Principals
from reconciler.model.policy import GlobalSmtpPolicy
from reconciler.model.snapshot import Snapshot
from reconciler.routing import keys
from reconciler.routing.excerpt import RoutingExcerpt
from reconciler.routing.keys import KeyRole
from reconciler.state import specs
from reconciler.state.sql import reading, tables
from reconciler.state.sql.streaming import batched, portions, streamed, write_streamed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from sqlalchemy import ColumnElement, Connection, Row, Select

    from reconciler.model.resource import Resource
    from reconciler.routing.keys import RoutingNeeds

_LONGEST: Final = 400
"""Octets of a key that are kept as they are: an entry of an index in PostgreSQL has 2,704 at most."""

_AT_ONCE: Final = 500
"""Values of one statement."""

_HINT: Final = "`reconciler state export` and `state import` into a new state write the keys again"


def write(
    connection: Connection, created: Mapping[str, Resource], changed: Mapping[str, Resource]
) -> None:
    """Write the keys of resources by their uids; those of deleted ones are gone with them."""
    stored = reading.single(connection, tables.meta).routing
    if not keys.is_readable(stored):
        rebuild(connection)
        return
    touched = {**created, **changed}
    if stored == keys.edition(lasting=True) and not all(
        map(keys.has_lasting_keys, touched.values())
    ):
        _note_edition(connection, lasting=False)
    before: dict[str, set[tuple[str, str]]] = {}
    columns = tables.routing_keys.c
    for uids in batched(changed, _AT_ONCE):
        query = select(columns.uid, columns.role, columns.key).where(columns.uid.in_(uids))
        for uid, role, key in connection.execute(query):
            before.setdefault(uid, set()).add((role, key))
    gone, new = [], []
    for uid, resource in touched.items():
        after, known = _kept(resource), before.get(uid, set())
        gone += [{"of": uid, "as": role, "by": key} for role, key in known - after]
        new += [_row(uid, role, key) for role, key in after - known]
    if gone:
        this = and_(
            columns.uid == bindparam("of"),
            columns.role == bindparam("as"),
            columns.key == bindparam("by"),
        )
        connection.execute(delete(tables.routing_keys).where(this), gone)
    _add(connection, new)


def rebuild(connection: Connection) -> None:
    """Write all keys anew; raises StateCorrupt where a resource cannot be read back."""
    reading.single(connection, tables.meta, lock=True)
    connection.execute(delete(tables.routing_keys))
    lasting = True

    def rows() -> Iterator[dict[str, Any]]:
        nonlocal lasting
        for row in streamed(connection, _found_by_keys()):
            resource = _decoded(row)
            lasting = lasting and keys.has_lasting_keys(resource)
            yield from (_row(row.uid, role, key) for role, key in _kept(resource))

    write_streamed(connection, insert(tables.routing_keys), rows())
    _note_edition(connection, lasting=lasting)


def excerpt(connection: Connection, needs: RoutingNeeds) -> RoutingExcerpt | None:
    """Read what the routing of one mail needs; None if the keys are another release's, or nothing was applied."""
    newest = reading.revisions(connection, 1)
    if not newest or not keys.is_readable(reading.single(connection, tables.meta).routing):
        return None
    one = {SINGLETON_NAME}
    application = {needs.application} if needs.application else set()
    found = _named(
        connection,
        {Kind.ROLES: one, Kind.GLOBAL_SMTP_POLICY: one, Kind.APPLICATION: application},
    )
    names = set(needs.connectors)
    names |= _holders(connection, Kind.EMAIL_CONNECTOR, KeyRole.ADDRESS, needs.addresses)
    for policy in found:
        if isinstance(policy, GlobalSmtpPolicy):
            names |= {name for name in (policy.connector, policy.fallback_connector) if name}
    found += _named(connection, {Kind.EMAIL_CONNECTOR: names, Kind.PERMISSIONS: names})
    roles = next((item for item in found if isinstance(item, Roles)), None)
    groups = {name for item in found if isinstance(item, Permissions) for name in item.users.groups}
    return RoutingExcerpt(
        newest[0].serial,
        newest[0].plan_digest,
        Snapshot.of((*found, *_groups(connection, needs.actor, groups))),
        frozenset()
        if roles is not None and roles.internal_domains
        else _internal(connection, needs.actor),
    )


def problems(connection: Connection) -> Iterator[str]:
    """Yield a sentence for each resource whose keys are not those that follow from it."""
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
            if stored[row.uid] != {(*kept, _mark(row.uid, *kept)) for kept in _kept(resource)}:
                yield f"the keys that {resource.address} is found by do not match it: {_HINT}"


def _found_by_keys() -> Select[Any]:
    kinds = (Kind.EMAIL_CONNECTOR.value, Kind.GROUP.value)
    return select(tables.resources).where(tables.resources.c.kind.in_(kinds))


def _decoded(row: Row[Any]) -> Resource:
    return specs.decode(specs.address_of(row.kind, row.name), row.spec, row.digest)


def _named(connection: Connection, names: Mapping[Kind, Collection[str]]) -> list[Resource]:
    """Read resources by their names; what cannot be a name is not looked for."""
    columns = tables.resources.c
    found = []
    named = (
        (kind, name)
        for kind, these in names.items()
        for name in these
        if re.fullmatch(NAME_PATTERN, name)
    )
    for portion in batched(named, _AT_ONCE):
        by_kind: dict[Kind, list[str]] = {}
        for kind, name in portion:
            by_kind.setdefault(kind, []).append(name)
        here: list[ColumnElement[bool]] = [
            and_(columns.kind == kind.value, columns.name.in_(these))
            for kind, these in by_kind.items()
        ]
        query = select(columns.kind, columns.name, columns.spec, columns.digest).where(or_(*here))
        found += [
            specs.decode(specs.address_of(row.kind, row.name), row.spec, row.digest)
            for row in connection.execute(query)
        ]
    return found


def _holders(connection: Connection, kind: Kind, role: KeyRole, texts: Iterable[str]) -> set[str]:
    """Find the names of the resources that have one of the keys."""
    found = set()
    of, columns = tables.resources.c, tables.routing_keys.c
    for portion in batched({_bounded(text) for text in texts}, _AT_ONCE):
        query = (
            select(of.name, columns.uid, columns.key, columns.mark)
            .join(tables.resources, of.uid == columns.uid)
            .where(columns.role == role.value, columns.key.in_(portion), of.kind == kind.value)
        )
        for name, uid, key, mark in connection.execute(query):
            if mark != _mark(uid, role.value, key):
                raise StateCorrupt(
                    f"a key that {kind}.{name} is found by does not match its digest", hint=_HINT
                )
            found.add(name)
    return found


def _groups(connection: Connection, actor: str, wanted: set[str]) -> tuple[Group, ...]:
    """The wanted groups that a user is in, by name or through other groups, with this user alone."""
    if not wanted:
        return ()
    found: set[str] = set()
    new = _holders(connection, Kind.GROUP, KeyRole.MEMBER, (address_key(actor),))
    while new:
        found |= new
        new = _holders(connection, Kind.GROUP, KeyRole.SUBGROUP, new) - found
    only = Principals(users=(actor,))
    return tuple(Group(name=name, members=only) for name in sorted(found & wanted))


def _internal(connection: Connection, actor: str) -> frozenset[str]:
    """The domain of a user, if a connector has addresses there."""
    _, at, domain = actor.rpartition("@")
    if not at:
        return frozenset()
    key, columns = domain_key(domain), tables.routing_keys.c
    here = and_(columns.role == KeyRole.DOMAIN.value, columns.key == _bounded(key))
    row = connection.execute(select(tables.routing_keys).where(here).limit(1)).first()
    if row is None:
        return frozenset()
    if row.mark != _mark(row.uid, row.role, row.key):
        raise StateCorrupt("a key of a domain does not match its digest", hint=_HINT)
    return frozenset({key})


def _kept(resource: Resource) -> set[tuple[str, str]]:
    return {(role.value, _bounded(text)) for role, text in keys.keys_of(resource)}


def _bounded(text: str) -> str:
    """A key as it is stored: a digest of one that is very long, or that a database does not take."""
    octets = text.encode("utf-8", "surrogatepass")
    if len(octets) <= _LONGEST and text.isprintable():
        return text
    return f"sha256:{hashlib.sha256(octets).hexdigest()}"


def _row(uid: str, role: str, key: str) -> dict[str, Any]:
    return {"uid": uid, "role": role, "key": key, "mark": _mark(uid, role, key)}


def _mark(uid: str, role: str, key: str) -> str:
    return hashlib.sha256(f"{uid}\0{role}\0{key}".encode()).hexdigest()[:32]


def _add(connection: Connection, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(insert(tables.routing_keys), rows)


def _note_edition(connection: Connection, *, lasting: bool) -> None:
    connection.execute(update(tables.meta).values(routing=keys.edition(lasting=lasting)))
