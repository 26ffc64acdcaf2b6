"""The table of effective routes: who sends as whom, for every sender in a configuration."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.model.domain import address_key
from reconciler.model.permissions import Permissions
from reconciler.model.snapshot import Snapshot
from reconciler.routing.audience import ANYONE, Audience, Audiences, users_of
from reconciler.routing.reason import Reason

if TYPE_CHECKING:
    from reconciler.model.connector import Connector
    from reconciler.model.directory import Directory
    from reconciler.model.policy import GlobalSmtpPolicy

ANY_OTHER = "any other sender"
"""The row for every sender whose address no connector has."""

_NOBODY = Audience(everyone=False, members=frozenset(), partners=False, label="nobody")


class EffectiveRoute(Struct, frozen=True):
    """One row: mail from ``sender`` goes out through ``via`` as ``as_address``.

    ``via`` and ``as_address`` are None if such mail is refused. ``audience`` are the users who may send it.
    """

    sender: str
    via: str | None
    as_address: str | None
    reason: Reason
    audience: Audience

    @property
    def destination(self) -> tuple[str | None, str | None]:
        """The parts to compare: the connector and the address that recipients will see."""
        return self.via, self.as_address


@dataclass(frozen=True, slots=True)
class RoutingTable:
    """The effective routes of a snapshot, computed on first use."""

    snapshot: Snapshot
    audiences: Audiences = field(repr=False, compare=False)
    _rows: tuple[EffectiveRoute, ...] | None = field(
        default=None, init=False, repr=False, compare=False
    )

    @property
    def rows(self) -> tuple[EffectiveRoute, ...]:
        """Every sender with its route, by address, the rest last."""
        if self._rows is None:
            found = effective_routes(self.snapshot, self.audiences)
            object.__setattr__(self, "_rows", found)
            return found
        return self._rows

    def later(self, snapshot: Snapshot) -> RoutingTable:
        """The table of a later snapshot in which routing finds nothing else: its rows are these."""
        table = RoutingTable(snapshot, self.audiences)
        object.__setattr__(table, "_rows", self.rows)
        return table


def effective_routes(
    snapshot: Snapshot, audiences: Audiences | None = None
) -> tuple[EffectiveRoute, ...]:
    """Every sender of a snapshot with its route, by address, the rest last.

    ``audiences`` are those of its directory, if already computed.
    """
    audiences = audiences or Audiences(snapshot.directory)
    directory = audiences.directory
    permissions = {item.connector: item for item in snapshot.permissions}
    policy = snapshot.policy
    forced = policy is not None and policy.enabled
    carrier = _sending(snapshot, policy.connector) if policy is not None else None
    rows: dict[str, EffectiveRoute] = {}
    sending = [item for item in snapshot.connectors if item.can_send and item.email_address]
    senders = [(item.email_address or "", item) for item in sending]
    senders += [(sender, item) for item in sending for sender in item.also_sends_as]
    for sender, owner in senders:
        key = address_key(sender)
        if key in rows:
            continue  # of several connectors with one address, the first by name wins
        way = carrier if forced else owner
        rows[key] = EffectiveRoute(
            sender,
            way.name if way else None,
            (way.email_address if forced else sender) if way else None,
            Reason.GLOBAL_POLICY if forced else Reason.SENDER,
            audiences.users_of(permissions.get(owner.name) or Permissions(connector=owner.name)),
        )
    rest = (
        _forced(carrier, snapshot, directory) if forced else _fallback(policy, snapshot, directory)
    )
    return (*(rows[key] for key in sorted(rows)), rest)


def _forced(carrier: Connector | None, snapshot: Snapshot, directory: Directory) -> EffectiveRoute:
    if carrier is None:  # the policy forces everybody through a connector that cannot send
        return EffectiveRoute(ANY_OTHER, None, None, Reason.GLOBAL_POLICY, _NOBODY)
    users = users_of(snapshot.permissions_of(carrier.name), directory)
    partners = frozenset(name for name in users.members if not directory.is_internal(name))
    label = ANYONE
    if users.partners:
        label += " or partner"
    elif partners:
        label += f", and of {users.label} the partners"
    audience = Audience(everyone=True, members=partners, partners=users.partners, label=label)
    return EffectiveRoute(
        ANY_OTHER, carrier.name, carrier.email_address, Reason.GLOBAL_POLICY, audience
    )


def _fallback(
    policy: GlobalSmtpPolicy | None, snapshot: Snapshot, directory: Directory
) -> EffectiveRoute:
    fallback = _sending(snapshot, policy.fallback_connector) if policy is not None else None
    if fallback is not None:
        audience = users_of(snapshot.permissions_of(fallback.name), directory)
        return EffectiveRoute(
            ANY_OTHER, fallback.name, fallback.email_address, Reason.FALLBACK, audience
        )
    return EffectiveRoute(ANY_OTHER, None, None, Reason.FALLBACK, _NOBODY)


def _sending(snapshot: Snapshot, name: str | None) -> Connector | None:
    found = snapshot.connector(name) if name is not None else None
    return found if found is not None and found.can_send and found.email_address else None
