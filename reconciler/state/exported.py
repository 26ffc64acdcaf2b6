"""A whole state as one document, which moves it from one store to another and is verified first.

It holds references and keyed fingerprints, never a secret. Fields are named after the columns.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from types import GenericAlias
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Final,
    Generic,
    Literal,
    Protocol,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)

from pydantic import Field, TypeAdapter

from reconciler.model.connector import STRICT
from reconciler.model.fingerprint import Fingerprint
from reconciler.model.resource import JSON, canonical_json, spec_of
from reconciler.model.secret_ref import SecretRef
from reconciler.model.sending import SendingRecord
from reconciler.model.setting import Setting
from reconciler.model.sign_in_attempt import AttemptOutcome
from reconciler.model.snapshot import LastTest, StoredResource
from reconciler.state import specs
from reconciler.values import members

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

Item = TypeVar("Item")

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
    """Everything except the lock, which belongs to the store, not to its content.

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


class WholeState(Protocol):
    """The contents of :class:`StateExport`, read one part at a time, so that it need not be in memory.

    Each part can be read again, from its beginning.
    """

    @property
    def lineage(self) -> str:
        """The identity of the state."""
        ...

    @property
    def serial(self) -> int:
        """The serial of its newest revision."""
        ...

    @property
    def revisions(self) -> Iterable[ExportedRevision]:
        """Every apply, oldest first."""
        ...

    @property
    def resources(self) -> Iterable[ExportedResource]:
        """The stored resources, by kind and name."""
        ...

    @property
    def history(self) -> Iterable[ExportedEntry]:
        """What each revision did, in order."""
        ...

    @property
    def sent(self) -> Iterable[SendingRecord]:
        """The log of sending, oldest first."""
        ...

    @property
    def attempts(self) -> Iterable[ExportedAttempt]:
        """The attempts to sign in, oldest first."""
        ...

    @property
    def credential_uses(self) -> Iterable[ExportedCredentialUse]:
        """Where secrets went, oldest first."""
        ...

    @property
    def settings(self) -> tuple[Setting, ...]:
        """The settings in force at the last apply."""
        ...

    @property
    def losses(self) -> Iterable[ExportedLoss]:
        """What a salvage could not read."""
        ...


class Part(Generic[Item]):
    """A part of a :class:`WholeState` that is read again each time that it is iterated over."""

    def __init__(self, read: Callable[[], Iterator[Item]]) -> None:
        self._read = read

    def __iter__(self) -> Iterator[Item]:
        return self._read()


PARTS: Final[Mapping[str, Any]] = {
    name: get_args(kind)[0]
    for name, kind in get_type_hints(StateExport).items()
    if get_origin(kind) is tuple
}
"""The types of the members of an export that are lists, in the order of the file."""


@cache
def part_adapter(name: str) -> TypeAdapter[tuple[Any, ...]]:
    """Reads and writes elements of a part, as strictly as the whole export is read."""
    elements: Any = GenericAlias(tuple, (PARTS[name], ...))
    return TypeAdapter(elements, config=STRICT)


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
        last_test=ExportedTest(**members(test)) if test is not None else None,
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
        last_test=LastTest(**members(test)) if test is not None else None,
    )
