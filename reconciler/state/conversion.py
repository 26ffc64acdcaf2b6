"""Between stored resources and what an export says of them, for stores that hold values."""

from __future__ import annotations

from dataclasses import asdict

from reconciler.model.resource import canonical_json, spec_of
from reconciler.model.secret_ref import SecretRef
from reconciler.model.snapshot import Fingerprint, LastTest, StoredResource
from reconciler.state import specs
from reconciler.state.exported import ExportedFingerprint, ExportedResource, ExportedTest


def exported(uid: str, stored: StoredResource, serial: int) -> ExportedResource:
    """A stored resource as an export has it; ``serial`` is that of its last change."""
    test = stored.last_test
    return ExportedResource(
        uid=uid,
        kind=stored.address.kind.value,
        name=stored.address.name,
        spec=spec_of(stored.resource),
        created_at=stored.created_at,
        modified_at=stored.modified_at,
        modified_by=stored.modified_by,
        modified_serial=serial,
        fingerprints=tuple(
            ExportedFingerprint(reference=text, key_id=mark.key_id, mac=mark.mac)
            for text, mark in sorted((str(item), mark) for item, mark in stored.fingerprints)
        ),
        last_test=ExportedTest(**asdict(test)) if test is not None else None,
    )


def restored(item: ExportedResource) -> StoredResource:
    """What an export that was proved says of a resource."""
    test = item.last_test
    marks = (
        (SecretRef.parse(mark.reference), Fingerprint(mark.key_id, mark.mac))
        for mark in item.fingerprints
    )
    return StoredResource(
        resource=specs.read(specs.address_of(item.kind, item.name), canonical_json(item.spec)),
        created_at=item.created_at,
        modified_at=item.modified_at,
        modified_by=item.modified_by,
        fingerprints=tuple(sorted(marks, key=lambda pair: pair[0])),
        last_test=LastTest(**asdict(test)) if test is not None else None,
    )
