"""The part of a state that routing one mail needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.routing.index import RoutingIndex

if TYPE_CHECKING:
    from reconciler.model.snapshot import Snapshot


class RoutingExcerpt(Struct, frozen=True):
    """Some resources of one revision: enough to route one mail like the whole would.

    A group contains only the mail's user, also through other groups. ``internal_domains`` are those of
    that user, if connectors, not roles, define them.
    """

    serial: int
    plan_digest: str
    snapshot: Snapshot
    internal_domains: frozenset[str]

    def index(self) -> RoutingIndex:
        """Index it like a whole snapshot."""
        return RoutingIndex(
            self.snapshot,
            revision=(self.serial, self.plan_digest),
            internal_domains=self.internal_domains,
        )
