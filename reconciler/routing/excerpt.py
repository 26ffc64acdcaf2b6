"""What the routing of one mail needs of a state, in place of the whole."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.model.snapshot import Snapshot
from reconciler.routing.index import RoutingIndex


@dataclass(frozen=True, slots=True)
class RoutingExcerpt:
    """Some resources of one revision: enough to route the mail that was asked about as the whole would.

    A group holds only the user who was asked about, through other groups too. ``internal_domains`` are those
    of that user, where the connectors and not the roles say what is internal.
    """

    serial: int
    plan_digest: str
    snapshot: Snapshot
    internal_domains: frozenset[str]

    def index(self) -> RoutingIndex:
        """Index it, as a whole snapshot is."""
        return RoutingIndex(
            self.snapshot,
            revision=(self.serial, self.plan_digest),
            internal_domains=self.internal_domains,
        )
