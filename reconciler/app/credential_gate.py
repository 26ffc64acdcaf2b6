"""Asks before a live test sends a secret to a destination that was never applied."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from reconciler.app.idle_patterns import refuse_idle_patterns
from reconciler.app.plan import with_fingerprints
from reconciler.connection.failure import Stage
from reconciler.errors import PlanRefused, StateError
from reconciler.model.snapshot import Snapshot, StoredState
from reconciler.plan.alike_uses import can_be_shown, pending_uses
from reconciler.plan.credentials import NewCredentialUse, new_uses
from reconciler.plan.inputs import NO_OVERRIDES
from reconciler.plan.limits import overriding_options, unapproved
from reconciler.plan.planner import identities
from reconciler.values import replace
from reconciler.wording import indented

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.app.workspace import Workspace
    from reconciler.connection.options import ProbeOptions
    from reconciler.model.connector import Connector
    from reconciler.plan.credentials import Identify
    from reconciler.plan.inputs import Desired, Limits, Overrides
    from reconciler.secrets.base import SecretResolver


class CredentialApprover(Protocol):
    """Shows where secrets would go for the first time, and asks."""

    def approve_credentials(self, uses: tuple[NewCredentialUse, ...]) -> bool:
        """Return whether this is allowed; False if nobody can be asked."""
        ...


def refuse_new_credentials(
    workspace: Workspace,
    desired: Desired,
    connectors: tuple[Connector, ...],
    options: ProbeOptions,
    *,
    before: Callable[[], StoredState],
    overrides: Overrides = NO_OVERRIDES,
    approver: CredentialApprover | None = None,
) -> None:
    """Raise PlanRefused if testing the connectors would send a secret where nobody approved it.

    Applied destinations are approved, as are those that the owner's rules, ``overrides`` or a
    person allow. Tests that end before the sign-in send no secret. ``before`` reads the state;
    it is called only if the rules do not decide.
    """
    refuse_idle_patterns(desired, overrides)
    limits = workspace.limits
    if limits.credentials is None or not options.wants(Stage.AUTHENTICATION):
        return
    identify = identities(desired)
    snapshot = Snapshot.of(connectors)
    uses = new_uses(StoredState(), snapshot, identify, providers=desired.providers)
    if not tuple(unapproved(uses, limits, overrides, identify)):
        return
    uses = new_uses(before(), snapshot, identify, providers=desired.providers)
    _refuse(uses, limits, overrides, identify, approver)


def refuse_shared_secrets(
    workspace: Workspace,
    desired: Desired,
    connectors: tuple[Connector, ...],
    options: ProbeOptions,
    resolver: SecretResolver,
    *,
    before: Callable[[], StoredState],
    overrides: Overrides = NO_OVERRIDES,
    approver: CredentialApprover | None = None,
) -> None:
    """Raise PlanRefused if a reference now holds another reference's secret, never applied there.

    The secrets of these connectors are fetched, and nothing is sent. Without a state or a
    fingerprint key there is nothing to compare with.
    """
    limits = workspace.limits
    if limits.credentials is None or not options.wants(Stage.AUTHENTICATION):
        return
    try:
        current = before()
    except StateError:
        return  # recording the attempts fails too, and reports it
    if not any(use.value for use in current.credential_uses):
        return
    key = workspace.fingerprint_key()
    if key is None:
        return
    identify = identities(desired)
    held, _ = with_fingerprints(replace(desired, snapshot=Snapshot.of(connectors)), resolver, key)
    uses = new_uses(current, held.snapshot, identify, held.values, desired.providers)
    shared = tuple(use for use in uses if use.same_as)
    _refuse(shared, limits, overrides, identify, approver)


def _refuse(
    uses: tuple[NewCredentialUse, ...],
    limits: Limits,
    overrides: Overrides,
    identify: Identify,
    approver: CredentialApprover | None,
) -> None:
    broken = tuple(unapproved(uses, limits, overrides, identify))
    if not broken:
        return
    pending = pending_uses(broken)
    by_person = all(item.needs_only_a_person for item in broken) and can_be_shown(pending)
    if by_person and approver is not None and approver.approve_credentials(pending):
        return
    raise PlanRefused(
        "the test is refused:" + indented([item.message for item in broken]),
        hint=f"To allow it: {overriding_options(broken)}",
    )
