"""Reads what routing one mail needs from a state, found by keys, whatever fetches the rows.

The keys follow from the resources, whose specifications are checked by their digests when they are read. Where a key
itself is the answer, as to whether a user is a member, the digest of its row is.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final, Protocol

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
from reconciler.state.sql.streaming import batched

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from reconciler.model.resource import Resource
    from reconciler.routing.keys import RoutingNeeds

AT_ONCE: Final = 500
"""The maximum number of values in one statement."""

HINT: Final = "`reconciler state export` and `state import` into a new state write the keys again"

_LONGEST: Final = 400
"""The maximum length of an unhashed key: an index entry in PostgreSQL has 2,704 octets at most."""


class RoutingRows(Protocol):
    """The rows of one view of a state. A query has at most ``AT_ONCE`` names or keys."""

    def newest(self) -> tuple[int, str] | None:
        """The serial and the digest of the plan of the newest revision."""
        ...

    def edition(self) -> str:
        """The edition of the keys."""
        ...

    def resources(self, names: Mapping[Kind, list[str]]) -> Iterable[tuple[str, str, str, str]]:
        """The kind, name, specification and digest of the resources of these names."""
        ...

    def holders(
        self, kind: Kind, role: str, texts: list[str]
    ) -> Iterable[tuple[str, str, str, str]]:
        """The name and uid of the resources of a kind that have one of the keys; the key, and its mark."""
        ...

    def holder_of_any(self, role: str, key: str) -> tuple[str, str] | None:
        """The uid of a resource that has a key, and the key's mark."""
        ...


def excerpt(rows: RoutingRows, needs: RoutingNeeds) -> RoutingExcerpt | None:
    """Read what the routing of one mail needs.

    None if the keys are another release's, or nothing was applied.
    """
    newest = rows.newest()
    if newest is None or not keys.is_readable(rows.edition()):
        return None
    one = {SINGLETON_NAME}
    application = {needs.application} if needs.application else set()
    found = _named(
        rows, {Kind.ROLES: one, Kind.GLOBAL_SMTP_POLICY: one, Kind.APPLICATION: application}
    )
    names = set(needs.connectors)
    names |= _holders(rows, Kind.EMAIL_CONNECTOR, KeyRole.ADDRESS, needs.addresses)
    for policy in found:
        if isinstance(policy, GlobalSmtpPolicy):
            names |= {name for name in (policy.connector, policy.fallback_connector) if name}
    found += _named(rows, {Kind.EMAIL_CONNECTOR: names, Kind.PERMISSIONS: names})
    roles = next((item for item in found if isinstance(item, Roles)), None)
    groups = {name for item in found if isinstance(item, Permissions) for name in item.users.groups}
    return RoutingExcerpt(
        *newest,
        Snapshot.of((*found, *_groups(rows, needs.actor, groups))),
        frozenset()
        if roles is not None and roles.internal_domains
        else _internal(rows, needs.actor),
    )


def bounded(text: str) -> str:
    """A key as stored: a digest if it is very long, or unsuitable for a database."""
    octets = text.encode("utf-8", "surrogatepass")
    if len(octets) <= _LONGEST and text.isprintable():
        return text
    return f"sha256:{hashlib.sha256(octets).hexdigest()}"


def mark_of(uid: str, role: str, key: str) -> str:
    """The digest of the row of a key."""
    return hashlib.sha256(f"{uid}\0{role}\0{key}".encode()).hexdigest()[:32]


def _named(rows: RoutingRows, names: Mapping[Kind, Collection[str]]) -> list[Resource]:
    """Read resources by name, skipping invalid names."""
    found = []
    named = (
        (kind, name)
        for kind, these in names.items()
        for name in these
        if re.fullmatch(NAME_PATTERN, name)
    )
    for portion in batched(named, AT_ONCE):
        by_kind: dict[Kind, list[str]] = {}
        for kind, name in portion:
            by_kind.setdefault(kind, []).append(name)
        found += [
            specs.decode(specs.address_of(kind, name), spec, digest)
            for kind, name, spec, digest in rows.resources(by_kind)
        ]
    return found


def _holders(rows: RoutingRows, kind: Kind, role: KeyRole, texts: Iterable[str]) -> set[str]:
    """Find the names of the resources that have one of the keys."""
    found = set()
    for portion in batched({bounded(text) for text in texts}, AT_ONCE):
        for name, uid, key, mark in rows.holders(kind, role.value, portion):
            if mark != mark_of(uid, role.value, key):
                raise StateCorrupt(
                    f"a key that {kind}.{name} is found by does not match its digest", hint=HINT
                )
            found.add(name)
    return found


def _groups(rows: RoutingRows, actor: str, named: set[str]) -> tuple[Group, ...]:
    """Those of the named groups that a user is in, by name or through other groups, with this user alone."""
    if not named:
        return ()
    found: set[str] = set()
    new = _holders(rows, Kind.GROUP, KeyRole.MEMBER, (address_key(actor),))
    while new:
        found |= new
        new = _holders(rows, Kind.GROUP, KeyRole.SUBGROUP, new) - found
    only = Principals(users=(actor,))
    return tuple(Group(name=name, members=only) for name in sorted(found & named))


def _internal(rows: RoutingRows, actor: str) -> frozenset[str]:
    """The domain of a user, if a connector has addresses there."""
    _, at, domain = actor.rpartition("@")
    if not at:
        return frozenset()
    key, role = domain_key(domain), KeyRole.DOMAIN.value
    found = rows.holder_of_any(role, bounded(key))
    if found is None:
        return frozenset()
    uid, mark = found
    if mark != mark_of(uid, role, bounded(key)):
        raise StateCorrupt("a key of a domain does not match its digest", hint=HINT)
    return frozenset({key})
