"""The apply: lock, plan, compare, authorise, limits, ask, test, write, prove, unlock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from reconciler import __version__
from reconciler.app.actor import Actor, git_commit
from reconciler.app.plan import Planned, notes, unknown_renames, with_fingerprints
from reconciler.app.saved_plan import prove_allowed
from reconciler.app.test import LiveTester, Progress, probe_options
from reconciler.apply.authorise import denials
from reconciler.apply.executor import Applied, ApplyOptions, Author, Executor
from reconciler.errors import NotAuthorised, PlanRefused, PlanStale
from reconciler.plan.document import to_document
from reconciler.plan.inputs import NO_OVERRIDES, Overrides
from reconciler.plan.planfile import PlanFile, differences
from reconciler.plan.planner import plan

if TYPE_CHECKING:
    from reconciler.app.workspace import Workspace
    from reconciler.config.load import Loaded
    from reconciler.model.secret_ref import SecretRef
    from reconciler.plan.inputs import Desired
    from reconciler.secrets.base import FingerprintKey, SecretResolver
    from reconciler.state.base import Lease, StateStore


PLAINLY = ApplyOptions()


class Approver(Protocol):
    """Says yes or no to the plan that was shown."""

    def approve(self) -> bool:
        """Ask; True lets the apply go on."""
        ...

    @property
    def is_person(self) -> bool:
        """Whether the answer is one of somebody who has read the plan."""
        ...


class ApplyProgress(Progress, Protocol):
    """Is told how an apply goes, its plan before its tests."""

    def waiting(self, lease: Lease) -> None:
        """Somebody else holds the lock, and is waited for."""
        ...

    def planned(self, planned: Planned) -> None:
        """Show what the apply is about, whether it will be refused or not."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyRequest:
    """What an apply was asked to do."""

    actor: Actor
    overrides: Overrides = NO_OVERRIDES
    conduct: ApplyOptions = PLAINLY
    plan_file: PlanFile | None = None
    lock_timeout: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class ApplyOutcome:
    """How an apply ended: what was planned, and what came of it; None if nobody approved."""

    planned: Planned
    applied: Applied | None


def apply(
    workspace: Workspace,
    request: ApplyRequest,
    approver: Approver,
    progress: ApplyProgress,
) -> ApplyOutcome:
    """Bring the stored state to the configuration.

    Raises ConfigurationInvalid, StateLocked, PlanStale, NotAuthorised, PlanRefused, TestsFailed or
    StateError; in every one of these cases nothing was applied.
    """
    wanted = workspace.load_valid()
    store = workspace.store()
    try:
        with store.lock(
            holder=request.actor.name,
            operation="apply",
            wait=request.lock_timeout,
            waiting=progress.waiting,
        ) as lock:
            resolver = workspace.resolver()
            key = workspace.fingerprint_key(create=True)
            planned = _plan(workspace, request, wanted, resolver, key=key, store=store)
            progress.planned(planned)
            if request.plan_file is not None:
                _compare(request.plan_file, planned)
                prove_allowed(request.plan_file, key, request.overrides)
            if not _go_ahead(planned, request, approver):
                return ApplyOutcome(planned, None)
            executor = Executor(
                store,
                lock.lease.token,
                LiveTester(probe_options(workspace), resolver, progress),
                _author(workspace, request),
                datetime.now(UTC),
            )
            applied = executor.apply(
                planned.desired, planned.current, planned.plan, request.conduct
            )
            return ApplyOutcome(planned, applied)
    finally:
        store.close()


def _plan(
    workspace: Workspace,
    request: ApplyRequest,
    wanted: tuple[Loaded, Desired],
    resolver: SecretResolver,
    *,
    key: FingerprintKey | None,
    store: StateStore,
) -> Planned:
    loaded, desired = wanted
    missing: tuple[SecretRef, ...] = ()
    if key is not None:
        desired, missing = with_fingerprints(desired, resolver, key)
    current = store.load()
    overrides = request.plan_file.allowed if request.plan_file else request.overrides
    made = plan(desired, current, workspace.limits, overrides)
    denied = denials(made.changes, current, request.actor.name)
    return Planned(
        loaded,
        desired,
        current,
        made,
        denied,
        looked=key is not None,
        unresolved=missing,
        notes=(
            *unknown_renames(desired, current),
            *notes(desired, missing, keyed=key is not None),
        ),
    )


def _go_ahead(planned: Planned, request: ApplyRequest, approver: Approver) -> bool:
    _refuse_denied(planned, request.actor)
    _refuse_unsafe(planned, approver, saved=request.plan_file is not None)
    return planned.plan.empty or approver.approve()


def _author(workspace: Workspace, request: ApplyRequest) -> Author:
    commit = git_commit(workspace.home, workspace.environ)
    return Author(request.actor.name, request.actor.source, commit, __version__)


def _compare(file: PlanFile, planned: Planned) -> None:
    found = differences(file, planned.basis, to_document(planned.plan))
    if found:
        raise PlanStale(
            "the saved plan no longer holds: " + "; ".join(found),
            hint="Make a new plan with `reconciler plan --out FILE`, and have that one approved.",
        )


def _refuse_denied(planned: Planned, actor: Actor) -> None:
    if planned.denials:
        lines = "".join(f"\n  {item.address}: {item.message}" for item in planned.denials)
        raise NotAuthorised(
            f"{actor.name} may not make this change:{lines}",
            hint=f"The name comes from {actor.source}. Rights are those that were applied before, not"
            " those in the change.",
        )


def _refuse_unsafe(planned: Planned, approver: Approver, *, saved: bool) -> None:
    broken = [
        item
        for item in planned.plan.violations
        if not (item.needs_only_a_person and approver.is_person)
    ]
    if broken:
        lines = "".join(f"\n  {item.message}" for item in broken)
        options = " ".join(dict.fromkeys(item.override for item in broken if item.override))
        if saved:
            options = f"make a new plan with {options}" if options else ""
        raise PlanRefused(
            f"the plan is refused:{lines}",
            hint=f"If it is meant: {options}" if options else "",
        )
