"""The apply: lock, plan, compare, authorise, limits, ask, test, write, prove, unlock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct, field

from reconciler import __version__
from reconciler.app.git import git_commit
from reconciler.app.idle_patterns import refuse_idle_patterns
from reconciler.app.plan import Planned, plan_offline, plan_with_secrets
from reconciler.app.progress import Progress
from reconciler.app.saved_plan import is_sealed, prove_allowed
from reconciler.app.state_lock import held_lock
from reconciler.apply.executor import Applied, ApplyOptions, Author, Executor
from reconciler.connection.failure import ErrorClass
from reconciler.errors import NotAuthorised, PlanRefused, PlanStale, SecretError
from reconciler.plan.alike_uses import can_be_shown, pending_uses
from reconciler.plan.document import to_document
from reconciler.plan.inputs import NO_OVERRIDES, Desired, Overrides
from reconciler.plan.limits import overriding_options
from reconciler.plan.planfile import PlanFile, basis_differences, differences
from reconciler.plan.scope import WHOLE, Scope
from reconciler.state.key import prepared_key
from reconciler.state.write_outcome import WriteOutcome
from reconciler.wording import indented, listed

if TYPE_CHECKING:
    from reconciler.app.actor import Actor
    from reconciler.app.workspace import Workspace
    from reconciler.config.load import Loaded
    from reconciler.connection.options import ProbeOptions
    from reconciler.model.connector import Connector
    from reconciler.model.secret_ref import SecretRef
    from reconciler.model.snapshot import StoredState
    from reconciler.plan.limits import LimitViolation
    from reconciler.probe.result import ConnectorResult
    from reconciler.secrets.base import FingerprintKey
    from reconciler.secrets.registry import Resolver
    from reconciler.state.base import Lease, StateStore


PLAINLY = ApplyOptions()


class Approver(Protocol):
    """Approves or declines the plan that was shown."""

    def approve(self) -> bool:
        """Ask; True to continue."""
        ...

    @property
    def is_person(self) -> bool:
        """Whether a person who read the plan gave the answer."""
        ...


class ApplyProgress(Progress, Protocol):
    """Receives the progress of an apply, its plan before its tests."""

    def waiting(self, lease: Lease) -> None:
        """The apply is waiting for another holder's lock."""
        ...

    def planned(self, planned: Planned) -> None:
        """Show the plan, even if it will be refused. A second call adds the rotated secrets."""
        ...


class ApplyRequest(Struct, frozen=True, kw_only=True):
    """The options of an apply; ``outcome`` always says whether a revision was written."""

    actor: Actor
    overrides: Overrides = NO_OVERRIDES
    conduct: ApplyOptions = PLAINLY
    plan_file: PlanFile | None = None
    lock_timeout: timedelta = timedelta()
    first_apply: bool = False
    outcome: WriteOutcome = field(default_factory=WriteOutcome)
    scope: Scope = WHOLE


class ApplyOutcome(Struct, frozen=True):
    """The result of an apply: the plan, and its outcome; None if it was not approved."""

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
    StateError; ``request.outcome`` says whether a revision was written.
    """
    desired = workspace.load_valid()
    refuse_idle_patterns(desired[1], request.overrides)
    with (
        workspace.writing() as store,
        held_lock(
            store,
            holder=request.actor.name,
            operation="apply",
            wait=request.lock_timeout,
            waiting=progress.waiting,
            noted=lambda note: progress.noted((note,)),
            outcome=request.outcome,
        ) as lock,
    ):
        prepared = prepared_key(workspace.state_url, workspace.environ)
        decision = _Decision(workspace, request, approver, progress, prepared.key)
        planned, approved = decision.make(desired, store.load(desired[1].snapshot.by_address))
        if not approved:
            return ApplyOutcome(planned, None)
        tests = _Tests(workspace, request, store, planned.desired, decision.resolver, progress)
        if workspace.connect_to:
            tests.options()  # redirections that cannot be read are refused, whatever is tested
        executor = Executor(
            store,
            lock.lease.token,
            tests,
            _author(workspace, request),
            datetime.now(UTC),
            outcome=request.outcome,
            before_writing=prepared.keep,
        )
        applied = executor.apply(planned.desired, planned.current, planned.plan, request.conduct)
        return ApplyOutcome(planned, applied)


class _Tests(Struct, frozen=True):
    """Tests connectors live. What does so is loaded at the first test: many applies need none."""

    workspace: Workspace
    request: ApplyRequest
    store: StateStore
    desired: Desired
    resolver: Resolver
    progress: Progress

    def __call__(self, connectors: tuple[Connector, ...]) -> tuple[ConnectorResult, ...]:
        """Test them; raises KeyboardInterrupt, which says how many were not tested."""
        from reconciler.app.attempts import AttemptAuthor, AttemptRecorder  # noqa: PLC0415 - see above
        from reconciler.app.test import LiveTester  # noqa: PLC0415 - likewise
        from reconciler.probe.runner import Interrupted  # noqa: PLC0415 - likewise

        author = AttemptAuthor(self.request.actor, "apply")
        attempts = AttemptRecorder(self.workspace, author, self.desired, store=self.store)
        try:
            return LiveTester(self.options(), self.resolver, attempts, self.progress)(connectors)
        except Interrupted as error:
            raise KeyboardInterrupt(str(error)) from None

    def options(self) -> ProbeOptions:
        """How to test; raises UsageError for a redirection that cannot be read."""
        from reconciler.app.test import probe_options  # noqa: PLC0415 - as above

        return probe_options(self.workspace)


class _Decision:
    """Judges an apply, first without secrets: a refused apply fetches none and runs nothing."""

    def __init__(
        self,
        workspace: Workspace,
        request: ApplyRequest,
        approver: Approver,
        progress: ApplyProgress,
        key: FingerprintKey | None,
    ) -> None:
        self.resolver = workspace.resolver()
        self._workspace = workspace
        self._request = request
        self._approver = approver
        self._progress = progress
        self._key = key
        file = request.plan_file
        self._vouched = file is not None and is_sealed(file, key)

    def make(self, desired: tuple[Loaded, Desired], current: StoredState) -> tuple[Planned, bool]:
        """Return the plan, and whether it was approved."""
        workspace, request, file = self._workspace, self._request, self._request.plan_file
        workspace.check_state(current, first_apply=request.first_apply)
        overrides = file.allowed if file else request.overrides
        actor = request.actor.name
        scope = request.scope
        if file is not None:
            scope = _scope_of(file, request.scope)
        offline = plan_offline(workspace, actor, desired, current, overrides=overrides, scope=scope)
        empty = offline.plan.empty
        if not empty or self._refused(offline):
            self._progress.planned(offline)
        if file is not None:
            _refuse_stale(basis_differences(file, offline.basis, to_document(offline.plan)))
            prove_allowed(file, self._key, request.overrides)
        if not self._go_ahead(offline):
            return offline, False
        planned = plan_with_secrets(workspace, actor, offline, self.resolver, self._key)
        rotated = planned.plan != offline.plan
        if empty or rotated:
            self._progress.planned(planned)
        else:
            self._progress.noted(planned.notes[len(offline.notes) :])
        if file is not None:
            _refuse_stale(differences(file, planned.basis, to_document(planned.plan)))
        return planned, not rotated or self._go_ahead(planned)

    def _go_ahead(self, planned: Planned) -> bool:
        if planned.denials:
            raise _denied(planned, self._request.actor)
        if broken := self._broken(planned):
            raise _unsafe(broken, saved=self._request.plan_file is not None)
        if planned.plan.empty:
            return True
        if self._approver.is_person:
            self._look_for_variables(planned)
        return self._approver.approve()

    def _look_for_variables(self, planned: Planned) -> None:
        """Raise SecretError, before asking, if a test needs an unset variable; fetches nothing."""
        conduct = self._request.conduct
        if conduct.skip_tests:
            return
        missing = _missing_variables(planned, self.resolver)
        if missing and conduct.keep_going:
            self._progress.noted(tuple(f"{error.message}{who}" for error, who in missing))
        elif missing:
            raise _no_secrets(missing)

    def _refused(self, planned: Planned) -> bool:
        return bool(planned.denials or self._broken(planned))

    def _broken(self, planned: Planned) -> list[LimitViolation]:
        broken = [
            item
            for item in planned.plan.violations
            if not (item.needs_only_a_saved_plan and self._vouched)
        ]
        if not self._approver.is_person:
            return broken
        # An approval covers only what was shown, and a terminal truncates a long list of secrets.
        shown = can_be_shown(pending_uses(broken))
        return [
            item
            for item in broken
            if not item.needs_only_a_person or (item.about_credentials and not shown)
        ]


def _scope_of(file: PlanFile, asked: Scope) -> Scope:
    """Return the scope of a saved plan; raises PlanRefused if a different one is requested."""
    saved = file.basis.scope.scope
    if asked.is_whole or asked == saved:
        return saved
    raise PlanRefused(
        f"the plan was saved for {saved}, but {asked} was given",
        hint="Leave the scope to the saved plan, or make a new one.",
    )


def _author(workspace: Workspace, request: ApplyRequest) -> Author:
    commit = git_commit(workspace.home, workspace.environ)
    return Author(request.actor.name, request.actor.source, commit, __version__)


def _refuse_stale(found: tuple[str, ...]) -> None:
    if found:
        raise PlanStale(
            "the saved plan no longer holds: " + "; ".join(found),
            hint="Make a new plan with `reconciler plan --out FILE`, and have that one approved.",
        )


def _denied(planned: Planned, actor: Actor) -> NotAuthorised:
    lines = indented([f"{item.address}: {item.message}" for item in planned.denials])
    return NotAuthorised(
        f"{actor.name} may not make this change:{lines}",
        hint=f"The name comes from {actor.source}. Rights come from the stored state, not from the change.",
    )


def _missing_variables(planned: Planned, resolver: Resolver) -> tuple[tuple[SecretError, str], ...]:
    """Return the error for each unset variable that a test needs, and which connectors need it."""
    tested = {item.connector for item in planned.plan.to_test}
    needed: dict[SecretRef, list[str]] = {}
    for connector in planned.desired.snapshot.connectors:
        if connector.name in tested:
            for reference in connector.references:
                needed.setdefault(reference, []).append(connector.name)
    absences = ((resolver.absence(reference), names) for reference, names in needed.items())
    return tuple(
        (error, f", which {listed(names)} {'needs' if len(names) == 1 else 'need'}")
        for error, names in absences
        if error is not None
    )


def _no_secrets(missing: tuple[tuple[SecretError, str], ...]) -> SecretError:
    lines = indented([f"{error.message}{who}" for error, who in missing])
    hint = (
        missing[0][0].hint if len(missing) == 1 else "Set each of them before you run the command."
    )
    return SecretError(
        f"the live test would fail with {ErrorClass.SECRET_MISSING}:{lines}",
        hint=f"{hint} Nothing was tested.",
    )


def _unsafe(broken: list[LimitViolation], *, saved: bool) -> PlanRefused:
    lines = indented([item.message for item in broken])
    options = overriding_options(broken)
    if saved:
        options = f"make a new plan with {options}" if options else ""
    return PlanRefused(
        f"the plan is refused:{lines}", hint=f"To allow it: {options}" if options else ""
    )
