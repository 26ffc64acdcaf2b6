"""Live tests: their selection, options and reports."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, assert_never

from msgspec import Struct

from reconciler.app.attempts import AttemptAuthor, AttemptRecorder
from reconciler.app.credential_gate import (
    CredentialApprover,
    refuse_new_credentials,
    refuse_shared_secrets,
)
from reconciler.app.imported_file import read_json
from reconciler.app.plan import with_fingerprints
from reconciler.app.progress import SILENT, Progress
from reconciler.app.record_tests import Recorder, load_before
from reconciler.app.scope import refuse_empty_scope
from reconciler.app.selection import EVERYTHING, SelectBy, Selection, select
from reconciler.apply.executor import failure
from reconciler.connection.failure import Stage
from reconciler.connection.options import ProbeOptions
from reconciler.errors import ReconcilerError
from reconciler.mail.dial import ConnectTo
from reconciler.mail.web_proxy import ProxySettings
from reconciler.model.snapshot import Status, StoredState
from reconciler.model.validators import validator
from reconciler.plan.inputs import NO_OVERRIDES, Overrides
from reconciler.plan.planner import plan
from reconciler.plan.scope import WHOLE, Scope, connectors_of
from reconciler.probe.drift import Recording
from reconciler.probe.merge_shards import merge
from reconciler.probe.report import RunDocument, SelectionDocument, TestReport, results
from reconciler.probe.runner import run

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.app.actor import Actor
    from reconciler.app.plan import Planned
    from reconciler.app.workspace import Workspace
    from reconciler.model.connector import Connector
    from reconciler.plan.inputs import Desired
    from reconciler.probe.result import ConnectorResult
    from reconciler.secrets.base import SecretResolver


class LiveTester(Struct, frozen=True):
    """Runs the probes of a workspace, for ``apply`` and ``test``."""

    options: ProbeOptions
    resolver: SecretResolver
    attempts: AttemptRecorder
    progress: Progress = SILENT

    def __call__(self, connectors: tuple[Connector, ...]) -> tuple[ConnectorResult, ...]:
        """Record the attempts to sign in, test these connectors, and wait for all results."""
        done: list[ConnectorResult] = []

        def finished(result: ConnectorResult) -> None:
            done.append(result)
            self.progress.finished(result)

        self.progress.started(connectors)
        if self.options.wants(Stage.AUTHENTICATION):
            self.attempts.begin(connectors)
        try:
            return run(connectors, self.resolver, self.options, on_result=finished)
        finally:
            self.attempts.end(done)
            self.progress.ended()
            if self.attempts.problem:
                self.progress.noted((self.attempts.problem,))


class Tuning(Struct, frozen=True, kw_only=True):
    """Overrides of the settings file; None keeps its value.

    ``timeout`` is in seconds. ``show_server_text`` keeps answers to a sign-in for a terminal.
    """

    depth: Stage | None = None
    concurrency: int | None = None
    per_host: int | None = None
    timeout: float | None = None
    retries: int | None = None
    show_server_text: bool = False


AS_SET = Tuning()


def probe_options(workspace: Workspace, tuning: Tuning = AS_SET) -> ProbeOptions:
    """The options from the settings file, except ``tuning``."""
    testing, by_owner = workspace.settings.testing, workspace.trust.rules.testing
    return ProbeOptions(
        concurrency=testing.concurrency if tuning.concurrency is None else tuning.concurrency,
        per_host=testing.per_host if tuning.per_host is None else tuning.per_host,
        timeout=float(testing.timeout_seconds) if tuning.timeout is None else tuning.timeout,
        depth=Stage(testing.depth.value) if tuning.depth is None else tuning.depth,
        least_depth=Stage(by_owner.depth.value) if by_owner is not None else None,
        connect_to=ConnectTo.parse(workspace.connect_to),
        ca_file=workspace.ca_file,
        base=str(workspace.home),
        allowed_hosts=workspace.settings.allowed_hosts,
        retries=testing.retries if tuning.retries is None else tuning.retries,
        show_server_text=tuning.show_server_text,
        proxies=ProxySettings.of(workspace.environ),
    )


class TestRequest(Struct, frozen=True, kw_only=True):
    """The options of a run of tests; ``record`` keeps the results in the state."""

    __test__ = False  # not a test case, whatever pytest makes of the name

    selection: Selection = EVERYTHING
    tuning: Tuning = AS_SET
    record: bool = True
    overrides: Overrides = NO_OVERRIDES
    scope: Scope = WHOLE
    actor: Actor


class Tested(Struct, frozen=True):
    """The results of a run of tests, and what was recorded in the state."""

    results: tuple[ConnectorResult, ...]
    recording: Recording


class TestRun:
    """A run of tests of selected connectors, from a valid configuration.

    Raises ConfigurationInvalid, UsageError for a selection that makes no sense, and StateError if the
    selection depends on a state that cannot be read.
    """

    __test__ = False  # not a test case, whatever pytest makes of the name

    def __init__(
        self,
        workspace: Workspace,
        request: TestRequest,
        approver: CredentialApprover | None = None,
    ) -> None:
        loaded, desired = workspace.load_valid()
        self._resolver = workspace.resolver()
        self._options = probe_options(workspace, request.tuning)
        self._full = probe_options(workspace).depth
        which = request.selection.which
        chosen = select(desired.snapshot.connectors, request.selection)
        if not request.scope.is_whole:
            refuse_empty_scope(request.scope, desired, StoredState())
            names = connectors_of(desired.snapshot, request.scope)
            chosen = tuple(item for item in chosen if item.name in names)
        before = cache(partial(load_before, workspace))
        current = before() if which.needs_state else None
        refuse_new_credentials(
            workspace,
            desired,
            chosen,
            self._options,
            before=before,
            overrides=request.overrides,
            approver=approver,
        )
        self._recorder = Recorder(workspace, before) if request.record else None
        if current is not None:
            key = workspace.fingerprint_key() if which is SelectBy.CHANGED else None
            if key is not None:
                # Like an apply, which tests connectors whose secret was rotated.
                desired, _ = with_fingerprints(desired, self._resolver, key)
            chosen = narrow(chosen, which, desired, current)
        refuse_shared_secrets(
            workspace,
            desired,
            chosen,
            self._options,
            self._resolver,
            before=before,
            overrides=request.overrides,
            approver=approver,
        )
        self._attempts = AttemptRecorder(workspace, AttemptAuthor(request.actor, "test"), desired)
        self.connectors = chosen
        self.about = RunDocument(
            configuration=loaded.digest,
            selection=SelectionDocument(
                names=request.selection.names,
                labels=request.selection.labels,
                which=which.value,
                depth=self._options.depth,
            ),
            shard=request.selection.shard,
        )

    def __call__(self, progress: Progress = SILENT) -> Tested:
        """Test them, and record the results."""
        tester = LiveTester(self._options, self._resolver, self._attempts, progress)
        results = tester(self.connectors)
        if self._recorder is None:
            return Tested(results, Recording())
        enough = self._options.wants(self._full)
        return Tested(results, self._recorder.record(self.connectors, results, passes=enough))


def try_plan(
    workspace: Workspace,
    planned: Planned,
    actor: Actor,
    progress: Progress,
    approver: CredentialApprover | None = None,
) -> None:
    """Test what an apply of this plan would test; raises TestsFailed if one fails.

    Raises PlanRefused, before fetching any secret, if one would go to an unapproved destination.
    """
    by_name = {item.name: item for item in planned.desired.snapshot.connectors}
    connectors = tuple(by_name[item.connector] for item in planned.plan.to_test)
    options = probe_options(workspace)
    before = cache(partial(load_before, workspace))
    refuse_new_credentials(
        workspace,
        planned.desired,
        connectors,
        options,
        before=before,
        overrides=planned.overrides,
        approver=approver,
    )
    resolver = workspace.resolver()
    refuse_shared_secrets(
        workspace,
        planned.desired,
        connectors,
        options,
        resolver,
        before=before,
        overrides=planned.overrides,
        approver=approver,
    )
    attempts = AttemptRecorder(workspace, AttemptAuthor(actor, "plan --test"), planned.desired)
    results = LiveTester(options, resolver, attempts, progress)(connectors)
    if not all(result.passed for result in results):
        raise failure(
            results,
            "An apply of this plan would apply nothing. Fix the problems that the test reports.",
        )


def narrow(
    connectors: tuple[Connector, ...], which: SelectBy, desired: Desired, current: StoredState
) -> tuple[Connector, ...]:
    """Keep those that the state gives a reason to test."""
    match which:
        case SelectBy.ALL:
            return connectors
        case SelectBy.FAILING:
            names = {i.address.name for i in current.resources if i.status is Status.FAILING}
        case SelectBy.CHANGED:
            made = plan(desired, current)
            names = {item.connector for item in (*made.to_test, *made.not_ready)}
        case _:
            assert_never(which)
    return tuple(item for item in connectors if item.name in names)


def merge_files(paths: tuple[Path, ...]) -> TestReport:
    """Read and merge reports of shards.

    Raises ReconcilerError unless they form one complete run.
    """
    return merge([(str(path), _read(path)) for path in paths])


def _read(path: Path) -> TestReport:
    from pydantic import ValidationError  # noqa: PLC0415 - only where reports are joined

    try:
        report = validator(TestReport).validate_json(read_json(path))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        raise ReconcilerError(
            f"{path} is not a test report: {f'{where}: ' if where else ''}{first['msg']}",
            hint="Write the report of a shard with `reconciler test --shard K/N --report json=FILE`.",
        ) from None
    try:
        results(report)
    except ValueError as error:
        raise ReconcilerError(f"{path} is not a test report: {error}") from None
    return report
