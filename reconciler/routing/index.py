"""An index of a snapshot for routing: a mail costs the same with ten connectors or ten thousand."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final

from reconciler.model.connector import ANY_LOCAL_PART
from reconciler.model.directory import Directory
from reconciler.model.domain import address_key
from reconciler.model.policy import GlobalSmtpPolicy
from reconciler.routing.audience import refusal
from reconciler.routing.senders import domain_pattern, is_pattern
from reconciler.routing.spelling import normal_address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.application import Application
    from reconciler.model.connector import Connector
    from reconciler.model.permissions import Permissions
    from reconciler.model.snapshot import Snapshot

_OFF: Final = GlobalSmtpPolicy()
_WHOLE: Final = f"{ANY_LOCAL_PART}@"

_Claims = tuple[dict[str, list[tuple[str, "Connector"]]], dict[str, list["Connector"]]]


class RoutingIndex:
    """A snapshot indexed for routing.

    Make it once for each revision, and keep it: each part is built on first use.

    It never changes, and threads may share it. ``revision`` is the serial and the digest of the plan that the snapshot was
    read at. ``internal_domains`` replace those of the connectors if the snapshot lacks some.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        *,
        revision: tuple[int, str] = (-1, ""),
        internal_domains: frozenset[str] | None = None,
    ) -> None:
        self.snapshot = snapshot
        self.revision = revision
        self.policy: GlobalSmtpPolicy = snapshot.policy or _OFF
        self._internal_domains = internal_domains

    @cached_property
    def directory(self) -> Directory:
        """The groups and the internal domains; each group is expanded once."""
        world = self.snapshot
        return Directory(
            world.groups, world.roles, world.connectors, internal_domains=self._internal_domains
        )

    def connector(self, name: str) -> Connector | None:
        """Find a connector by its name."""
        return self.snapshot.connector(name)

    def application(self, name: str) -> Application | None:
        """Find an application by its name."""
        return self._applications.get(name)

    def permissions_of(self, connector: str) -> Permissions:
        """Find the permissions of a connector; the empty ones if it has none."""
        return self.snapshot.permissions_of(connector)

    def refusal(self, connector: str, actor: str) -> str:
        """Say why ``actor`` may not send through a connector; empty if they may."""
        return refusal(self.permissions_of(connector), self.directory, actor)

    def owner_of(self, sender: str) -> Connector | None:
        """Find the connector that sends as an address.

        Its own address takes precedence over a listed one, and that over a whole domain; of several
        connectors the first by name wins.
        """
        if is_pattern(sender):
            return None
        own, further = self._senders
        key, pattern = address_key(sender), domain_pattern(sender)
        found = own.get(key) or further.get(key)
        return found if found is not None or pattern is None else further.get(pattern)

    def owners(self, found: set[str]) -> Iterator[tuple[str, str, Connector]]:
        """The addresses that belong to connectors, as shown, with these connectors.

        Connectors that list an address take precedence over those with its whole domain.
        """
        named, domains = self._claims
        for address in sorted(found):
            if address in named:
                for shown, connector in named[address]:
                    yield address, shown, connector
            else:
                for connector in domains.get(address.rpartition("@")[2], ()):
                    yield address, address, connector

    @cached_property
    def _applications(self) -> dict[str, Application]:
        return {item.name: item for item in self.snapshot.applications}

    @cached_property
    def _senders(self) -> tuple[dict[str, Connector], dict[str, Connector]]:
        """Which connectors send as their own address, and as a listed one or a whole domain."""
        own: dict[str, Connector] = {}
        further: dict[str, Connector] = {}
        for connector in self.snapshot.connectors:
            if connector.can_send:
                own.setdefault(address_key(connector.email_address or ""), connector)
                for item in connector.also_sends_as:
                    further.setdefault(address_key(item), connector)
        return own, further

    @cached_property
    def _claims(self) -> _Claims:
        """The owners of addresses, as readers see them, and of domains."""
        named: dict[str, list[tuple[str, Connector]]] = {}
        domains: dict[str, list[Connector]] = {}
        for connector in self.snapshot.connectors:
            own = (connector.email_address,) if connector.email_address is not None else ()
            for item in (*own, *connector.also_sends_as):
                address = normal_address(item)
                if address.startswith(_WHOLE):
                    domains.setdefault(address.removeprefix(_WHOLE), []).append(connector)
                else:
                    named.setdefault(address, []).append((item, connector))
        return named, domains
