"""Drift: what is stored is tested as it is stored, and compared with the last test of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from reconciler.app.record_tests import Recorder, load_before
from reconciler.app.test import AS_SET, SILENT, LiveTester, Progress, Tuning, probe_options
from reconciler.errors import ConfigurationInvalid, ReconcilerError, UsageError
from reconciler.model.connector import Connector
from reconciler.probe.drift import Checked, Recording, check, facts
from reconciler.probe.shard import Shard

if TYPE_CHECKING:
    from reconciler.app.workspace import Workspace
    from reconciler.model.snapshot import StoredResource


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftRequest:
    """What was asked for: which stored connectors (all of them without ``names`` and ``labels``), how.

    ``shard`` is the part of them that this machine looks after. ``cert_days`` are the days that a
    certificate must have left.
    """

    names: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    shard: Shard | None = None
    tuning: Tuning = AS_SET
    cert_days: int = 21
    record: bool = True


@dataclass(frozen=True, slots=True)
class Drift:
    """How every connector is in comparison; ``serial`` is that of the state."""

    serial: int
    cert_days: int
    checked: tuple[Checked, ...]
    recording: Recording


def find_drift(workspace: Workspace, request: DriftRequest, progress: Progress = SILENT) -> Drift:
    """Test what is applied and compare; the files of the configuration are not read.

    Raises ConfigurationInvalid if ``reconciler.yaml`` is not valid, StateError, UsageError for a name or
    label that fits nothing, and ReconcilerError if nothing was ever applied.
    """
    if any(problem.is_error for problem in workspace.settings_problems):
        raise ConfigurationInvalid(workspace.settings_problems)
    current = load_before(workspace)
    if not current.serial:
        raise ReconcilerError(
            "nothing was applied yet, so nothing can have drifted",
            hint="Check --state; the first `reconciler apply` stores what there is to compare with.",
        )
    chosen = {item.address.name: item for item in _choose(current.resources, request)}
    connectors = tuple(
        item.resource for item in chosen.values() if isinstance(item.resource, Connector)
    )
    recorder = Recorder(workspace, current) if request.record else None
    tester = LiveTester(probe_options(workspace, request.tuning), workspace.resolver(), progress)
    results = tester(connectors)
    now = datetime.now(UTC)
    checked = tuple(
        check(result, last, facts(last), now=now, cert_days=request.cert_days)
        for result in results
        for last in (chosen[result.connector].last_test,)
    )
    recording = recorder.record(connectors, results) if recorder else Recording()
    return Drift(current.serial, request.cert_days, checked, recording)


def _choose(
    resources: tuple[StoredResource, ...], request: DriftRequest
) -> tuple[StoredResource, ...]:
    testable = {
        item.resource.name: (item, item.resource.labels)
        for item in resources
        if isinstance(item.resource, Connector) and not item.resource.draft
    }
    for pattern in request.names:
        if not any(fnmatchcase(name, pattern) for name in testable):
            raise UsageError(
                f"no stored connector matches {pattern}",
                hint="`reconciler status` lists the stored connectors; drafts are never tested.",
            )
    chosen = tuple(
        item
        for name, (item, labels) in testable.items()
        if (not request.names or any(fnmatchcase(name, pattern) for pattern in request.names))
        and all(label in labels for label in request.labels)
    )
    if request.labels and not chosen:
        raise UsageError(f"no stored connector has the labels {', '.join(request.labels)}")
    shard = request.shard
    return tuple(item for item in chosen if shard is None or shard.takes(item.address.name))
