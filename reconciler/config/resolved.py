"""The input of the checks: the catalogue, the settings, and every resolved connector."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.config.build import ProtocolSettings, build_connector, smtp_of
from reconciler.config.catalogue import Catalogue
from reconciler.config.conspicuous import Conspicuous, conspicuous
from reconciler.config.settings import Settings
from reconciler.model.directory import Directory
from reconciler.model.protocol import Protocol
from reconciler.model.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.config.documents import Entry
    from reconciler.config.raw import RawDocument
    from reconciler.diagnostics import Route
    from reconciler.model.connector import Connector, MailServer
    from reconciler.model.connector_document import ConnectorDocument
    from reconciler.model.provider import Provider, ServerDefaults


class Endpoint(Struct, frozen=True):
    """The IMAP or the SMTP account of a connector: as written, as filled in, and its provider's."""

    protocol: Protocol
    written: ProtocolSettings
    server: MailServer
    defaults: ServerDefaults | None

    def route(self, field: str) -> Route:
        """The route to one of its fields."""
        return (self.protocol, field)

    @property
    def label(self) -> str:
        """Return the protocol's name as people write it."""
        return self.protocol.upper()


class ResolvedConnector(Struct, frozen=True):
    """A connector as written, its provider, and the resolved connector."""

    entry: Entry[ConnectorDocument]
    document: ConnectorDocument
    """The connector as written."""
    provider: Provider | None
    connector: Connector
    sides: tuple[Endpoint, ...]
    """The accounts in use."""

    @classmethod
    def of(cls, entry: Entry[ConnectorDocument], provider: Provider | None) -> ResolvedConnector:
        """Resolve a connector."""
        document = entry.value
        connector = build_connector(document, provider)
        sides = tuple(_sides(document, provider, connector))
        return cls(entry, document, provider, connector, sides)

    @property
    def provider_missing(self) -> bool:
        """Whether its provider does not exist, so that much of it cannot be checked."""
        return self.document.provider is not None and self.provider is None


def _sides(
    document: ConnectorDocument, provider: Provider | None, connector: Connector
) -> Iterator[Endpoint]:
    imap, smtp = document.imap, smtp_of(document, provider)
    if imap is not None and connector.imap is not None:
        yield Endpoint(Protocol.IMAP, imap, connector.imap, provider.imap if provider else None)
    if smtp is not None and connector.smtp is not None:
        yield Endpoint(Protocol.SMTP, smtp, connector.smtp, provider.smtp if provider else None)


@dataclass(frozen=True)
class ResolvedConfiguration:
    """A whole configuration, valid or not."""

    catalogue: Catalogue
    settings: Settings

    @cached_property
    def cases(self) -> tuple[ResolvedConnector, ...]:
        """Every connector, by name."""
        found = sorted(self.catalogue.connectors.items())
        return tuple(self._case(entry) for _, entry in found)

    @cached_property
    def raws(self) -> tuple[RawDocument, ...]:
        """The declarations as read, including rejected documents that refer to secrets."""
        known = self.catalogue
        declared = (entry.raw for entry in known.entries)
        return tuple({id(raw): raw for raw in (*declared, *known.raw_secrets)}.values())

    @cached_property
    def conspicuous(self) -> Conspicuous:
        """Which of them contain texts that the checks must examine."""
        return conspicuous(self.raws)

    @cached_property
    def directory(self) -> Directory:
        """The groups and roles."""
        roles = self.catalogue.roles
        groups = (entry.value for entry in self.catalogue.groups.values())
        connectors = (case.connector for case in self.cases)
        return Directory(groups, roles.value if roles else None, connectors)

    def case(self, name: str) -> ResolvedConnector | None:
        """Find a connector by its name."""
        entry = self.catalogue.connectors.get(name)
        return self._case(entry) if entry else None

    def snapshot(self) -> Snapshot:
        """Build the snapshot. The configuration must have passed the checks."""
        known = self.catalogue
        return Snapshot.of(
            (
                *(entry.value for entry in known.providers.values()),
                *(entry.value for entry in known.groups.values()),
                *((known.roles.value,) if known.roles else ()),
                *(case.connector for case in self.cases),
                *(entry.value for entry in known.permissions.values()),
                *((known.policy.value,) if known.policy else ()),
                *(entry.value for entry in known.applications.values()),
            )
        )

    def _case(self, entry: Entry[ConnectorDocument]) -> ResolvedConnector:
        provider = self.catalogue.provider(entry.value.provider)
        return ResolvedConnector.of(entry, provider)
