"""From plain values to the model's documents, and the catalogue of all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, TypeVar

from msgspec import Struct

from reconciler.model.address import Kind
from reconciler.model.application import Application
from reconciler.model.connector_document import ConnectorDocument
from reconciler.model.directory import Group, Roles
from reconciler.model.permissions import Permissions
from reconciler.model.policy import GlobalSmtpPolicy
from reconciler.model.provider import Provider
from reconciler.model.validators import Invalid, validated

if TYPE_CHECKING:
    from reconciler.config.raw import RawDocument
    from reconciler.diagnostics import Diagnostic
    from reconciler.model.resource import JSON

Document = (
    ConnectorDocument | Permissions | GlobalSmtpPolicy | Group | Roles | Provider | Application
)
"""The documents that a file may hold, as written."""

TYPES: Final[dict[Kind, type[Document]]] = {
    Kind.EMAIL_CONNECTOR: ConnectorDocument,
    Kind.PERMISSIONS: Permissions,
    Kind.GLOBAL_SMTP_POLICY: GlobalSmtpPolicy,
    Kind.GROUP: Group,
    Kind.ROLES: Roles,
    Kind.PROVIDER: Provider,
    Kind.APPLICATION: Application,
}

_KINDS: Final = {str(kind): kind for kind in Kind}

D_co = TypeVar("D_co", bound=Document, covariant=True)


class Entry(Struct, Generic[D_co], frozen=True):
    """A document together with the text it was read from."""

    value: D_co
    raw: RawDocument


class Parsed(Struct, frozen=True):
    """A YAML document after validation: an entry, or the reasons for refusing it.

    A rejected document keeps its ``kind`` and ``name``, so that references to it are not
    reported as unknown.
    """

    raw: RawDocument
    entry: Entry[Document] | None
    kind: Kind | None
    name: str | None
    diagnostics: tuple[Diagnostic, ...] = ()


def parse(raw: RawDocument) -> Parsed:
    """Validate one document by its model, and explain errors by its schema."""
    kind, name = kind_of(raw.value), _name_of(raw.value)
    if not raw.whole:  # missing values were reported where they got lost
        return Parsed(raw, None, kind, name)
    if kind is not None:
        try:
            value = validated(TYPES[kind], raw.value)
        except Invalid:
            pass  # its messages repeat values, which may be secret
        else:
            return Parsed(raw, Entry(value, raw), kind, name)
    # jsonschema takes longer to import than everything else here, and most documents are valid.
    from reconciler.config.explain import explain, explain_kind  # noqa: PLC0415 - see above
    from reconciler.config.schema import document_schema  # noqa: PLC0415 - see above
    from reconciler.config.written_schema import connector_schema  # noqa: PLC0415 - see above

    if kind is None:
        return Parsed(raw, None, None, name, (explain_kind(raw),))
    schema = connector_schema() if kind is Kind.EMAIL_CONNECTOR else document_schema(kind)
    return Parsed(raw, None, kind, name, explain(raw, schema))


class ParseOnce:
    """Parses like :func:`parse`, but each value only once, where documents are loaded again."""

    def __init__(self) -> None:
        # By identity: with its value, which so cannot give way to another one.
        self._known: dict[int, tuple[JSON, Document]] = {}

    def __call__(self, raw: RawDocument) -> Parsed:
        """Validate one document."""
        known = self._known.get(id(raw.value))
        if known is not None and raw.whole:
            return Parsed(raw, Entry(known[1], raw), kind_of(raw.value), _name_of(raw.value))
        parsed = parse(raw)
        if parsed.entry is not None:
            self._known[id(raw.value)] = (raw.value, parsed.entry.value)
        return parsed


def kind_of(value: JSON) -> Kind | None:
    """The kind that a document declares, if it exists."""
    kind = value.get("kind") if isinstance(value, dict) else None
    return _KINDS.get(kind) if isinstance(kind, str) else None


def _name_of(value: JSON) -> str | None:
    if not isinstance(value, dict):
        return None
    name = value.get("name", value.get("connector"))
    return name if isinstance(name, str) else None
