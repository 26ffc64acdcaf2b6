"""From the rows of a state's tables to what they mean, whoever fetched them."""

from __future__ import annotations

import json
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from reconciler.errors import StateCorrupt
from reconciler.model.credential_use import CredentialUse, Destination
from reconciler.model.fingerprint import Fingerprint
from reconciler.model.secret_ref import SecretRef
from reconciler.model.setting import Setting
from reconciler.model.snapshot import Forgotten, LastTest, StoredResource, StoredState
from reconciler.state import specs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.model.address import Address
    from reconciler.model.resource import Resource

UNREADABLE: Final = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""The exceptions that a value of the wrong type causes.

A bug of ours looks the same, and is raised as it is.
"""

_HINT = "restore the state from a backup"

NO_RESOURCES: Final[Mapping[Address, Resource]] = MappingProxyType({})


def stored_state(
    meta: Any,
    *,
    fingerprints: Iterable[Any],
    tests: Iterable[Any],
    resources: Iterable[Any],
    forgotten: Iterable[Any],
    credential_uses: Iterable[Any],
    like: Mapping[Address, Resource] = NO_RESOURCES,
) -> StoredState:
    """Everything, with the history of each resource, from rows whose attributes are the columns.

    Resources that equal those of ``like`` are those.
    Raises StateCorrupt where a value cannot be read back.
    """
    known = cache(reference)  # most occur again as a use
    prints: dict[str, list[tuple[SecretRef, Fingerprint]]] = {}
    for row in fingerprints:
        pair = known(row.reference), Fingerprint(row.key_id, row.mac)
        prints.setdefault(row.uid, []).append(pair)
    last_tests = {
        row.uid: LastTest(
            passed=row.passed,
            at=row.at,
            stage=row.stage,
            error_class=row.error_class,
            summary=row.summary,
            failing_since=row.failing_since,
            facts=mapping(row.facts, "what the last test of a connector saw"),
        )
        for row in tests
    }
    found = [
        StoredResource(
            resource=specs.decode(
                address := specs.address_of(row.kind, row.name),
                row.spec,
                row.digest,
                like.get(address),
            ),
            created_at=row.created_at,
            modified_at=row.modified_at,
            modified_by=row.modified_by,
            fingerprints=tuple(sorted(prints.get(row.uid, ()), key=lambda pair: pair[0])),
            last_test=last_tests.get(row.uid),
        )
        for row in resources
    ]
    uses = {
        row.id: CredentialUse(
            known(row.reference),
            row.identity,
            destination(row),
            Fingerprint(row.key_id, row.mac) if row.mac else None,
        )
        for row in credential_uses
    }
    # Sorted here because each database collates text in its own way.
    found.sort(key=lambda stored: stored.address)
    return StoredState(
        meta.lineage,
        meta.serial,
        tuple(found),
        tuple(
            Forgotten(specs.address_of(row.kind, row.name), row.serial, row.at, row.actor)
            for row in forgotten
        ),
        tuple(uses[id_] for id_ in sorted(uses)),
        settings(meta.settings),
    )


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
