"""Caches what the documents of a valid configuration mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from msgspec import Struct

from reconciler.config.documents import kind_of
from reconciler.config.expansion import WRITTEN_ONLY
from reconciler.config.load import built_in_providers
from reconciler.model.address import SINGLETON_NAME, Address, Kind
from reconciler.model.connector import Connector

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.config.raw import RawDocument
    from reconciler.model.provider import Provider
    from reconciler.model.resource import Resource
    from reconciler.model.snapshot import Snapshot


class Meant(Struct, frozen=True):
    """The resources that documents mean, as long as their providers do not change."""

    resources: Mapping[Address, Resource]
    other_providers: frozenset[str]

    @classmethod
    def of(cls, snapshot: Snapshot, providers: Mapping[str, Provider]) -> Self:
        """What the documents of a snapshot mean with different providers."""
        before = {item.name: item for item in (*built_in_providers(), *snapshot.providers)}
        names = before.keys() | providers.keys()
        others = frozenset(name for name in names if before.get(name) != providers.get(name))
        return cls({item.address: item for item in snapshot.resources}, others)

    def by(self, raw: RawDocument) -> dict[Address, Resource] | None:
        """The cached meaning of a document; None if it must be computed."""
        value, kind = raw.value, kind_of(raw.value)
        if not isinstance(value, dict) or kind is None:
            return None
        if kind is Kind.EMAIL_CONNECTOR and not WRITTEN_ONLY.isdisjoint(value):
            return None
        name = value.get("connector" if kind is Kind.PERMISSIONS else "name")
        found = self.resources.get(
            Address(kind, SINGLETON_NAME if kind.is_singleton else str(name))
        )
        if found is None:
            return None
        if isinstance(found, Connector) and found.provider in self.other_providers:
            return None
        return {found.address: found}
