"""Live tests: which connectors, with which options, and how a run is reported."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Protocol

from reconciler.apply.executor import failure
from reconciler.config.load import Loaded
from reconciler.errors import UsageError
from reconciler.mail.dial import ConnectTo
from reconciler.probe.result import ConnectorResult
from reconciler.probe.runner import ProbeOptions, run
from reconciler.secrets.base import SecretResolver

if TYPE_CHECKING:
    from reconciler.app.planning import Planned
    from reconciler.app.workspace import Workspace
    from reconciler.model.connector import Connector
    from reconciler.probe.result import Stage


class Progress(Protocol):
    """Is told how a run of tests goes, from the thread that runs it."""

    def started(self, connectors: tuple[Connector, ...]) -> None:
        """So many are about to be tested."""
        ...

    def finished(self, result: ConnectorResult) -> None:
        """One is done."""
        ...

    def ended(self) -> None:
        """The run is over, whichever way."""
        ...


class Silent:
    """Progress that nobody watches."""

    def started(self, connectors: tuple[Connector, ...]) -> None:
        """Say nothing."""

    def finished(self, result: ConnectorResult) -> None:
        """Say nothing."""

    def ended(self) -> None:
        """Say nothing."""


SILENT = Silent()


@dataclass(frozen=True, slots=True)
class LiveTester:
    """Runs the probes of a workspace; this is what an apply tests with, and ``test`` too."""

    options: ProbeOptions
    resolver: SecretResolver
    progress: Progress = SILENT

    def __call__(self, connectors: tuple[Connector, ...]) -> tuple[ConnectorResult, ...]:
        """Test these connectors and wait for all results."""
        self.progress.started(connectors)
        try:
            return run(connectors, self.resolver, self.options, on_result=self.progress.finished)
        finally:
            self.progress.ended()


def probe_options(workspace: Workspace, depth: Stage | None = None) -> ProbeOptions:
    """The options that the settings file asks for."""
    from reconciler.probe.result import Stage  # noqa: PLC0415 - the name serves as a value here

    testing = workspace.settings.testing
    return ProbeOptions(
        concurrency=testing.concurrency,
        per_host=testing.per_host,
        timeout=float(testing.timeout_seconds),
        depth=depth or Stage(testing.depth.value),
        connect_to=ConnectTo.parse(workspace.connect_to),
        ca_file=workspace.ca_file,
        allowed_hosts=workspace.settings.allowed_hosts,
    )


def select(
    loaded_connectors: tuple[Connector, ...], patterns: tuple[str, ...], labels: tuple[str, ...]
) -> tuple[Connector, ...]:
    """Choose connectors by name, shell pattern and label; drafts are never tested.

    Raises UsageError for a name or pattern that fits none, since a typing error must not look like a
    test that passed.
    """
    testable = tuple(item for item in loaded_connectors if not item.draft)
    for pattern in patterns:
        if not any(fnmatchcase(item.name, pattern) for item in testable):
            draft = any(fnmatchcase(item.name, pattern) for item in loaded_connectors)
            raise UsageError(
                f"no connector matches {pattern}"
                + (" but drafts, which are never tested" if draft else ""),
                hint="`reconciler validate` counts the connectors; `ls connectors.d` names them.",
            )
    chosen = tuple(
        item
        for item in testable
        if (not patterns or any(fnmatchcase(item.name, pattern) for pattern in patterns))
        and all(label in item.labels for label in labels)
    )
    if labels and not chosen:
        raise UsageError(f"no connector has the labels {', '.join(labels)}")
    return chosen


@dataclass(frozen=True, slots=True)
class Tested:
    """How a run of tests went."""

    loaded: Loaded
    results: tuple[ConnectorResult, ...]


def run_tests(
    workspace: Workspace,
    patterns: tuple[str, ...],
    labels: tuple[str, ...],
    *,
    depth: Stage | None = None,
    progress: Progress = SILENT,
) -> Tested:
    """Test the connectors of the configuration, all or some of them; the state is not touched."""
    loaded, desired = workspace.load_valid()
    chosen = select(desired.snapshot.connectors, patterns, labels)
    tester = LiveTester(probe_options(workspace, depth), workspace.resolver(), progress)
    return Tested(loaded, tester(chosen))


def try_plan(workspace: Workspace, planned: Planned, progress: Progress) -> None:
    """Test what an apply of this plan would test; raises TestsFailed if one fails."""
    by_name = {item.name: item for item in planned.desired.snapshot.connectors}
    connectors = tuple(by_name[item.connector] for item in planned.plan.to_test)
    tester = LiveTester(probe_options(workspace), workspace.resolver(), progress)
    results = tester(connectors)
    if not all(result.passed for result in results):
        raise failure(results)
