"""Letting the state forget a resource, without the configuration and without a plan of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from reconciler import __version__
from reconciler.app.actor import git_commit
from reconciler.app.stored import find
from reconciler.apply.authorise import denials
from reconciler.errors import NotAuthorised, PlanRefused
from reconciler.model.resource import digest, to_plain
from reconciler.plan.document import resource_change
from reconciler.plan.forgetting import forgetting, objections
from reconciler.state.base import Commit

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from reconciler.app.actor import Actor
    from reconciler.app.workspace import Workspace
    from reconciler.model.address import Address
    from reconciler.plan.changes import Change
    from reconciler.state.base import Revision


def forget(
    workspace: Workspace,
    address: Address,
    actor: Actor,
    wait: timedelta,
    approve: Callable[[tuple[Change, ...]], bool],
) -> Revision | None:
    """Let go of a stored resource, as a revision of its own; None if ``approve`` says no.

    Raises ReconcilerError if it is not stored, PlanRefused if others depend on it or it is
    protected, NotAuthorised, StateLocked or StateError; nothing was written then.
    """
    store = workspace.store()
    try:
        with store.lock(holder=actor.name, operation="state forget", wait=wait) as held:
            current = store.load()
            resource = find(current, address).resource
            reasons = objections(current.snapshot, resource)
            if reasons:
                raise PlanRefused(
                    f"{address} cannot be forgotten: {'; '.join(reasons)}",
                    hint="Nothing was changed.",
                )
            changes = forgetting(current.snapshot, resource)
            for denial in denials(changes, current, actor.name):
                raise NotAuthorised(
                    f"{actor.name} may not let go of {denial.address}: {denial.message}",
                    hint=f"The name comes from {actor.source}.",
                )
            if not approve(changes):
                return None
            return store.commit(
                Commit(
                    expected_lineage=current.lineage,
                    expected_serial=current.serial,
                    changes=changes,
                    at=datetime.now(UTC),
                    actor=actor.name,
                    actor_source=actor.source,
                    git_commit=git_commit(workspace.home, workspace.environ),
                    tool_version=__version__,
                    plan_digest=digest(
                        [to_plain(resource_change(change), nulls=True) for change in changes]
                    ),
                    note=f"state forget {address}",
                ),
                token=held.lease.token,
            )
    finally:
        store.close()
