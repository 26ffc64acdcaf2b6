"""Decodes the rows of a state's tables, whatever fetched them."""

from __future__ import annotations

import json
from functools import cache
from operator import itemgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from reconciler.errors import StateCorrupt
from reconciler.model.credential_use import CredentialUse, Destination
from reconciler.model.fingerprint import Fingerprint
from reconciler.model.later import Later
from reconciler.model.secret_ref import SecretRef
from reconciler.model.setting import Setting
from reconciler.model.snapshot import Forgotten, LastTest, StoredResource, StoredState
from reconciler.state import specs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from reconciler.model.address import Address
    from reconciler.model.resource import Resource
    from reconciler.state.specs import Specifications

UNREADABLE: Final = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""The exceptions for a value of the wrong type. Our own bugs look the same, and are raised unchanged.
"""

_HINT = "restore the state from a backup"

NO_RESOURCES: Final[Mapping[Address, Resource]] = MappingProxyType({})

_first: Final = itemgetter(0)


def stored_state(
    meta: Any,
    *,
    fingerprints: Iterable[Sequence[Any]],
    tests: Iterable[Sequence[Any]],
    resources: Iterable[Sequence[Any]],
    forgotten: Iterable[Sequence[Any]],
    credential_uses: Iterable[Sequence[Any]],
    like: Mapping[Address, Resource] = NO_RESOURCES,
    specifications: Specifications | None = None,
) -> StoredState:
    """Everything, with the history of each resource, from rows in the order of their tables' columns.

    ``meta`` has its columns as attributes, as there is one of it. Resources that equal those of ``like`` are those.
    ``specifications`` know what was read before.
    Raises StateCorrupt where a value cannot be read back.
    """
    known = cache(reference)  # most recur as a use
    prints: dict[str, list[tuple[SecretRef, Fingerprint]]] = {}
    for uid, text, key_id, mac in fingerprints:
        prints.setdefault(uid, []).append((known(text), Fingerprint(key_id, mac)))
    last_tests = {
        uid: LastTest(
            passed=passed,
            at=at,
            stage=stage,
            error_class=error_class,
            summary=summary,
            failing_since=failing_since,
            facts=mapping(facts, "what the last test of a connector saw"),
        )
        for uid, passed, at, stage, error_class, summary, failing_since, facts in tests
    }
    decode = specs.decode if specifications is None else specifications.decode
    found: list[tuple[Address, StoredResource]] = []
    for uid, kind, name, spec, digest, created_at, modified_at, modified_by, _ in resources:
        address = specs.address_of(kind, name)
        resource = decode(address, spec, digest, like.get(address))
        pairs = sorted(prints[uid], key=_first) if uid in prints else ()
        found.append(
            (
                address,
                StoredResource(
                    resource,
                    created_at,
                    modified_at,
                    modified_by,
                    tuple(pairs),
                    last_tests.get(uid),
                ),
            )
        )
    # Sorted here because each database collates text in its own way.
    found.sort(key=_first)
    return StoredState(
        meta.lineage,
        meta.serial,
        tuple(stored for _, stored in found),
        tuple(
            Forgotten(specs.address_of(kind, name), serial, at, actor)
            for kind, name, serial, at, actor in forgotten
        ),
        _uses(credential_uses, known),
        settings(meta.settings),
    )


def _uses(
    rows: Iterable[Sequence[Any]], known: Callable[[str], SecretRef]
) -> Sequence[CredentialUse]:
    """The remembered uses, in the order of their ids; a reference that cannot be read is noticed at once."""
    kept = list(rows)
    for text in {row[2] for row in kept}:
        known(text)

    def made() -> tuple[CredentialUse, ...]:
        uses = {
            id_: CredentialUse(
                known(text),
                identity,
                Destination(host, port, security, username),
                Fingerprint(key_id, mac) if mac else None,
            )
            for id_, _, text, identity, host, port, security, username, key_id, mac in kept
        }
        return tuple(uses[id_] for id_ in sorted(uses))

    return Later(made)


def settings(text: str) -> tuple[Setting, ...]:
    """Read the settings of the last apply; raises StateCorrupt."""
    try:
        return tuple(Setting(*map(str, item)) for item in json.loads(text))
    except (TypeError, ValueError):
        raise StateCorrupt(
            "the state holds settings that cannot be read (table meta, column settings)",
            hint=_HINT,
        ) from None


def destination(row: Any) -> Destination:
    """Read the destination of a secret from its columns."""
    return Destination(row.host, row.port, row.security, row.username)


def reference(text: str) -> SecretRef:
    """Read a stored reference; raises StateCorrupt."""
    try:
        return SecretRef.parse(text)
    except ValueError:
        raise StateCorrupt(
            "the state holds a fingerprint of an invalid reference", hint=_HINT
        ) from None


def mapping(text: str, what: str) -> dict[str, Any]:
    """Read a mapping that is kept as JSON; raises StateCorrupt, which says what it is."""
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise StateCorrupt(f"{what} cannot be read", hint=_HINT)
    return value


def lacks_row(table: str) -> StateCorrupt:
    """The error for a table whose only row is gone."""
    return StateCorrupt(f"the state lacks the row of its table {table!r}", hint=_HINT)
