"""Everything that the files declare, by kind: the input of the checks and the build."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, assert_never, cast

from msgspec import Struct, field

from reconciler.config.raw import RawDocument
from reconciler.model.address import Address, Kind
from reconciler.model.application import Application
from reconciler.model.connector_document import ConnectorDocument
from reconciler.model.directory import Group, Roles
from reconciler.model.permissions import Permissions
from reconciler.model.policy import GlobalSmtpPolicy
from reconciler.model.provider import Provider

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.config.documents import Document, Entry, Parsed


_REFERRING: Final = frozenset({Kind.EMAIL_CONNECTOR, Kind.APPLICATION, Kind.PROVIDER})
"""The kinds whose documents refer to secrets."""


class Catalogue(Struct, frozen=True):
    """The documents of each kind, in the order of files and lines; the first of a name counts.

    ``repeated`` pairs every later one with the first. ``names`` holds all declared names, those
    of rejected documents too; ``raw_secrets`` likewise, for the kinds that refer to secrets.
    ``complete`` is false if a file could not be read to its end: then nothing can be called
    missing. ``built_in`` are the providers of the package.
    """

    connectors: dict[str, Entry[ConnectorDocument]]
    permissions: dict[str, Entry[Permissions]]
    groups: dict[str, Entry[Group]]
    providers: dict[str, Entry[Provider]]
    applications: dict[str, Entry[Application]]
    policy: Entry[GlobalSmtpPolicy] | None
    roles: Entry[Roles] | None
    repeated: tuple[tuple[Entry[Document], Entry[Document]], ...]
    names: dict[Kind, frozenset[str]]
    raw_secrets: tuple[RawDocument, ...]
    built_in: dict[str, Provider] = field(default_factory=dict)
    complete: bool = True

    def provider(self, name: str | None) -> Provider | None:
        """Find a provider: a user's own, else a built-in one."""
        if name is None:
            return None
        own = self.providers.get(name)
        return own.value if own else self.built_in.get(name)

    @property
    def by_kind(self) -> dict[Kind, Mapping[str, Entry[Document]]]:
        """The declared documents by kind and name."""
        return {
            Kind.EMAIL_CONNECTOR: self.connectors,
            Kind.PERMISSIONS: self.permissions,
            Kind.GROUP: self.groups,
            Kind.PROVIDER: self.providers,
            Kind.APPLICATION: self.applications,
            Kind.GLOBAL_SMTP_POLICY: _alone(self.policy),
            Kind.ROLES: _alone(self.roles),
        }

    @property
    def entries(self) -> Iterator[Entry[Document]]:
        """Every declared document, by kind."""
        for found in self.by_kind.values():
            yield from found.values()

    def documents(self) -> Mapping[Address, RawDocument]:
        """The document of each resource, by its address."""
        return _Documents(self)


class _Documents(Mapping[Address, RawDocument]):
    """Looks documents up in a catalogue: a plan asks for those of a few resources among thousands."""

    def __init__(self, known: Catalogue) -> None:
        self._by_kind = known.by_kind

    def __getitem__(self, address: Address) -> RawDocument:
        return self._by_kind[address.kind][address.name].raw

    def __iter__(self) -> Iterator[Address]:
        return (Address(kind, name) for kind, found in self._by_kind.items() for name in found)

    def __len__(self) -> int:
        return sum(map(len, self._by_kind.values()))


def _alone(entry: Entry[GlobalSmtpPolicy] | Entry[Roles] | None) -> Mapping[str, Entry[Document]]:
    """The document of a kind that has only one, by its name."""
    return {} if entry is None else {name_of(entry.value): cast("Entry[Document]", entry)}


def catalogue(
    parsed: Iterable[Parsed], built_in: Iterable[Provider], *, complete: bool
) -> Catalogue:
    """Sort documents into their places."""
    first: dict[Kind, dict[str, Entry[Document]]] = {kind: {} for kind in Kind}
    repeated: list[tuple[Entry[Document], Entry[Document]]] = []
    names: dict[Kind, set[str]] = {kind: set() for kind in Kind}
    documents = tuple(parsed)
    for item in documents:
        if item.kind is not None and item.name is not None:
            names[item.kind].add(item.name)
        if item.entry is None or item.kind is None:
            continue
        counts = first[item.kind].setdefault(name_of(item.entry.value), item.entry)
        if counts is not item.entry:
            repeated.append((item.entry, counts))
    return Catalogue(
        connectors=cast("dict[str, Entry[ConnectorDocument]]", first[Kind.EMAIL_CONNECTOR]),
        permissions=cast("dict[str, Entry[Permissions]]", first[Kind.PERMISSIONS]),
        groups=cast("dict[str, Entry[Group]]", first[Kind.GROUP]),
        providers=cast("dict[str, Entry[Provider]]", first[Kind.PROVIDER]),
        applications=cast("dict[str, Entry[Application]]", first[Kind.APPLICATION]),
        policy=cast(
            "Entry[GlobalSmtpPolicy] | None",
            next(iter(first[Kind.GLOBAL_SMTP_POLICY].values()), None),
        ),
        roles=cast("Entry[Roles] | None", next(iter(first[Kind.ROLES].values()), None)),
        repeated=tuple(repeated),
        raw_secrets=tuple(item.raw for item in documents if item.kind in _REFERRING),
        names={kind: frozenset(found) for kind, found in names.items()},
        built_in={provider.name: provider for provider in built_in},
        complete=complete,
    )


def name_of(document: Document) -> str:
    """The name of a document within its kind: that of its address."""
    match document:
        case Permissions():
            return document.connector
        case (
            ConnectorDocument()
            | Group()
            | Provider()
            | GlobalSmtpPolicy()
            | Roles()
            | Application()
        ):
            return document.name
        case _:
            assert_never(document)
