"""The table of effective routes: who sends as whom, for every sender that a configuration knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.model.permissions import Permissions
from reconciler.routing.audience import ANYONE, Audience, users_of
from reconciler.routing.request import Reason

if TYPE_CHECKING:
    from reconciler.model.connector import Connector
    from reconciler.model.directory import Directory
    from reconciler.model.snapshot import Snapshot

ANY_OTHER = "any other sender"
"""The row of everybody whose address no connector has."""


@dataclass(frozen=True, slots=True)
class EffectiveRoute:
    """One row: mail that is to go out as ``sender`` goes out through ``via`` as ``as_address``.

    ``via`` and ``as_address`` are None where such mail is refused. ``audience`` is who may ask for it.
    """

    sender: str
    via: str | None
    as_address: str | None
    reason: Reason
    audience: Audience

    @property
    def destination(self) -> tuple[str | None, str | None]:
        """What a reader compares: the connector and the address that receivers will see."""
        return self.via, self.as_address


def effective_routes(snapshot: Snapshot) -> tuple[EffectiveRoute, ...]:
    """Every sender of a snapshot with the way its mail takes, by address, the rest last."""
    directory = snapshot.directory
    permissions = {item.connector: item for item in snapshot.permissions}
    forced = _forced(snapshot)
    rows: dict[str, EffectiveRoute] = {}
    for owner in snapshot.connectors:
        sender = owner.email_address
        if not owner.can_send or sender is None or sender.casefold() in rows:
            continue  # of several connectors with one address, the first by name has it
        carrier = forced or owner
        rows[sender.casefold()] = EffectiveRoute(
            sender,
            carrier.name,
            carrier.email_address,
            Reason.GLOBAL_POLICY if forced else Reason.SENDER,
            users_of(permissions.get(owner.name, Permissions(connector=owner.name)), directory),
        )
    return (*(rows[key] for key in sorted(rows)), _rest(snapshot, directory, forced))


def _rest(snapshot: Snapshot, directory: Directory, forced: Connector | None) -> EffectiveRoute:
    if forced is not None:
        anyone = Audience(everyone=True, members=frozenset(), partners=False, label=ANYONE)
        return EffectiveRoute(
            ANY_OTHER, forced.name, forced.email_address, Reason.GLOBAL_POLICY, anyone
        )
    policy = snapshot.policy
    fallback = snapshot.connector(policy.fallback_connector or "") if policy else None
    if fallback is not None and fallback.can_send:
        audience = users_of(snapshot.permissions_of(fallback.name), directory)
        return EffectiveRoute(
            ANY_OTHER, fallback.name, fallback.email_address, Reason.FALLBACK, audience
        )
    nobody = Audience(everyone=False, members=frozenset(), partners=False, label="nobody")
    return EffectiveRoute(ANY_OTHER, None, None, Reason.FALLBACK, nobody)


def _forced(snapshot: Snapshot) -> Connector | None:
    policy = snapshot.policy
    if policy is None or not policy.enabled:
        return None
    carrier = snapshot.connector(policy.connector or "")
    return carrier if carrier is not None and carrier.can_send else None
