"""A whole state as one document, which moves it from one store to another and is verified first.

It holds references and keyed fingerprints, never a secret. Fields are named after the columns.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, field
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from reconciler.ci_systems import escape_commands
from reconciler.errors import StateCorrupt, StateError
from reconciler.model.connector import STRICT, Connector
from reconciler.model.fingerprint import Fingerprint
from reconciler.model.resource import JSON, canonical_json, digest, spec_of
from reconciler.model.secret_ref import SecretRef
from reconciler.model.sending import SendingRecord
from reconciler.model.setting import Setting
from reconciler.model.sign_in_attempt import AttemptOutcome
from reconciler.model.snapshot import LastTest, StoredResource
from reconciler.records import dataclass
from reconciler.state import specs

if TYPE_CHECKING:
    from collections.abc import Iterator

FORMAT = "1.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedRevision:
    """One apply; ``at`` and all other times are ISO 8601 in UTC.

    ``chain`` is the digest of the revision, chained to the one before; "" where the store keeps none.
    """

    __pydantic_config__ = STRICT

    serial: int
    at: datetime
    actor: str
    actor_source: str
    git_commit: str
    tool_version: str
    plan_digest: str
    added: int
    changed: int
    destroyed: int
    note: str
    chain: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedEntry:
    """What one revision did to one resource, whose ``uid`` stays with it through renames."""

    __pydantic_config__ = STRICT

    serial: int
    position: int
    uid: str
    kind: str
    name: str
    action: str
    spec: dict[str, JSON] | None
    renamed_from: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedFingerprint:
    """The keyed MAC of a secret; no state holds the key."""

    __pydantic_config__ = STRICT

    reference: str
    key_id: str
    mac: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedTest:
    """The last live test of a connector."""

    __pydantic_config__ = STRICT

    passed: bool
    at: datetime
    stage: str
    error_class: str
    summary: str
    failing_since: datetime | None
    facts: dict[str, JSON]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedResource:
    """A resource as it is stored now."""

    __pydantic_config__ = STRICT

    uid: str
    kind: str
    name: str
    spec: dict[str, JSON]
    created_at: datetime
    modified_at: datetime
    modified_by: str
    modified_serial: int
    fingerprints: tuple[ExportedFingerprint, ...] = ()
    last_test: ExportedTest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedCredentialUse:
    """A secret at a destination where it was applied or signed in with; ``mac`` is of the secret alone."""

    __pydantic_config__ = STRICT

    id: str
    at: datetime
    reference: str
    identity: str
    host: str
    port: int
    security: str
    username: str
    key_id: str
    mac: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedAttempt:
    """An attempt to sign in."""

    __pydantic_config__ = STRICT

    id: str
    at: datetime
    actor: str
    actor_source: str
    command: str
    connector: str
    protocol: str
    reference: str
    identity: str
    host: str
    port: int
    security: str
    username: str
    outcome: AttemptOutcome
    error_class: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedLoss:
    """What a salvage could not read: ``row`` by its key, "" for a table; ``column`` "" for a whole row.

    ``table`` is "" for what concerns the whole file.
    """

    __pydantic_config__ = STRICT

    table: str
    row: str
    column: str
    problem: str

    def __str__(self) -> str:
        if not self.table:
            return f"the file: {self.problem}"
        row = f", row {self.row}" if self.row else ""
        column = f", column {self.column}" if self.column else ""
        return f"table {self.table}{row}{column}: {self.problem}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StateExport:
    """Everything except the lock, which belongs to the place and not to its content.

    ``tool_version`` is the release that wrote the file, and ``losses`` what a salvage could not read; stores
    keep neither. ``digest`` is
    ``sha256:`` and the digest of the canonical JSON of everything else.
    """

    __pydantic_config__ = STRICT

    format_version: Literal["1.0"] = "1.0"
    tool_version: str = ""
    lineage: str
    serial: Annotated[int, Field(ge=1)]
    revisions: tuple[ExportedRevision, ...]
    resources: tuple[ExportedResource, ...]
    history: tuple[ExportedEntry, ...]
    sent: tuple[SendingRecord, ...] = field(default=())
    attempts: tuple[ExportedAttempt, ...] = ()
    credential_uses: tuple[ExportedCredentialUse, ...] = ()
    settings: tuple[Setting, ...] = ()
    losses: tuple[ExportedLoss, ...] = ()
    digest: str = ""


@cache
def _adapter() -> TypeAdapter[StateExport]:
    return TypeAdapter(StateExport)


def to_text(export: StateExport) -> str:
    """The text of the file, with its digest."""
    plain = _in_order(_adapter().dump_python(export, mode="json"))
    plain["digest"] = _digest(plain)
    return escape_commands(json.dumps(plain, indent=1, ensure_ascii=False)) + "\n"


def from_text(text: str | bytes) -> StateExport:
    """Read an export and verify that it is whole.

    Raises StateError if the text is not an export, StateCorrupt if it was cut, changed, or
    contradicts itself.
    """
    try:
        plain = json.loads(text)
    except (ValueError, RecursionError):
        raise StateCorrupt(
            "the file is not a complete state export: it is not JSON, or is cut short", hint=_AGAIN
        ) from None
    if not isinstance(plain, dict) or "lineage" not in plain or "format_version" not in plain:
        raise StateError("the file is not a state export", hint=_AGAIN)
    if plain["format_version"] != FORMAT:
        raise StateError(
            f"the file is an export of format {str(plain['format_version'])[:20]}, and this release "
            f"reads {FORMAT}",
            hint="Export and import with the same release.",
        )
    if plain.get("digest") != _digest(plain):
        raise StateCorrupt("the file was changed after it was exported", hint=_AGAIN)
    try:
        export = _adapter().validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        raise StateCorrupt(f"the export cannot be read: {where}: {first['msg']}",
                           hint=_AGAIN) from None  # fmt: skip
    for problem in _contradictions(export):
        raise StateCorrupt(f"the export contradicts itself: {problem}", hint=_AGAIN)
    return export


def _in_order(plain: dict[str, Any]) -> dict[str, Any]:
    """Sort the fields of specifications and facts, whose order differs from store to store."""
    tests = (item["last_test"] for item in plain["resources"] if item["last_test"] is not None)
    for holder, name in (
        *((item, "spec") for item in (*plain["resources"], *plain["history"])),
        *((test, "facts") for test in tests),
    ):
        holder[name] = json.loads(canonical_json(holder[name]))
    return plain


_AGAIN = "Export it again with `reconciler state export --out FILE`; nothing was written."


def _digest(plain: dict[str, Any]) -> str:
    return digest({name: value for name, value in plain.items() if name != "digest"})


def _contradictions(export: StateExport) -> Iterator[str]:
    """Contradictions within the export, which a digest does not reveal."""
    if not export.lineage:
        yield "it has no lineage"
    if len(export.revisions) != export.serial or any(
        item.serial != serial for serial, item in enumerate(export.revisions, start=1)
    ):
        yield f"its revisions are not those from 1 to {export.serial}"
    positions = Counter(item.serial for item in export.history)
    expected = [(serial, position) for serial in sorted(positions)
                for position in range(positions[serial])]  # fmt: skip
    if [(item.serial, item.position) for item in export.history] != expected:
        yield "its history has gaps or is out of order"
    if any(not 1 <= serial <= export.serial for serial in positions):
        yield "its history names revisions that are missing"
    left: dict[str, ExportedEntry] = {item.uid: item for item in export.history}
    then = {
        uid: (item.kind, item.name, canonical_json(item.spec))
        for uid, item in left.items()
        if item.spec is not None
    }
    now = {item.uid: (item.kind, item.name, canonical_json(item.spec)) for item in export.resources}
    if then != now or len(now) != len(export.resources):
        yield "its resources do not match its history"
    for item in export.resources:
        yield from _about(item, export)
    yield from _repeated(export)
    addresses = Counter((item.kind, item.name) for item in export.resources)
    for (kind, name), count in addresses.items():
        if count > 1:
            yield f"it contains {kind}.{name} twice"


def _repeated(export: StateExport) -> Iterator[str]:
    for what, ids in (
        ("an attempt to send", [item.id for item in export.sent]),
        ("an attempt to sign in", [item.id for item in export.attempts]),
        ("a use of a secret", [item.id for item in export.credential_uses]),
    ):
        if len(set(ids)) != len(ids):
            yield f"it contains {what} twice"


def _about(item: ExportedResource, export: StateExport) -> Iterator[str]:
    address = specs.address_of(item.kind, item.name)
    resource = specs.read(address, canonical_json(item.spec))
    known = (
        {str(reference) for reference in resource.references}
        if isinstance(resource, Connector)
        else set()
    )
    if any(mark.reference not in known for mark in item.fingerprints):
        yield f"{address} has a fingerprint of a secret that it does not refer to"
    if len({mark.reference for mark in item.fingerprints}) != len(item.fingerprints):
        yield f"{address} has a fingerprint twice"
    if item.last_test is not None and not isinstance(resource, Connector):
        yield f"{address} has a test result, but is not a connector"
    if not 1 <= item.modified_serial <= export.serial:
        yield f"{address} was modified in a revision that is missing"


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
    """Read a resource from a verified export."""
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
