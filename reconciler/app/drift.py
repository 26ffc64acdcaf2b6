"""Drift: the stored connectors are tested and compared with their last test."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.app.attempts import AttemptAuthor, AttemptRecorder
from reconciler.app.credential_gate import refuse_shared_secrets
from reconciler.app.progress import SILENT, Progress
from reconciler.app.record_tests import Recorder, load_before
from reconciler.app.selection import EVERYTHING, Selection, select
from reconciler.app.test import AS_SET, LiveTester, Tuning, probe_options
from reconciler.errors import ConfigurationInvalid, ReconcilerError
from reconciler.model.address import Kind
from reconciler.plan.inputs import Desired
from reconciler.probe.drift import Checked, Recording, check, facts

if TYPE_CHECKING:
    from reconciler.app.actor import Actor
    from reconciler.app.workspace import Workspace


class DriftRequest(Struct, frozen=True, kw_only=True):
    """The request: which stored connectors, and how to test them.

    ``cert_days`` are the days that a certificate must have left.
    """

    selection: Selection = EVERYTHING
    tuning: Tuning = AS_SET
    cert_days: int = 21
    record: bool = True
    actor: Actor


class Drift(Struct, frozen=True):
    """How every connector compares; ``serial`` is the state's."""

    serial: int
    cert_days: int
    checked: tuple[Checked, ...]
    recording: Recording


def find_drift(workspace: Workspace, request: DriftRequest, progress: Progress = SILENT) -> Drift:
    """Test what is applied and compare; the files of the configuration are not read.

    Raises ConfigurationInvalid if ``reconciler.yaml`` is not valid, StateError, UsageError for
    a name or label that matches nothing, and ReconcilerError if nothing was ever applied.
    """
    if any(problem.is_error for problem in workspace.settings_problems):
        raise ConfigurationInvalid(workspace.settings_problems)
    current = load_before(workspace)
    if not current.serial:
        raise ReconcilerError(
            "nothing was applied yet, so there is nothing to compare with",
            hint="Check --state, or run the first `reconciler apply`.",
        )
    connectors = select(current.snapshot.connectors, request.selection, what="stored connector")
    last_tests = {item.address.name: item.last_test for item in current.resources
                  if item.address.kind is Kind.EMAIL_CONNECTOR}  # fmt: skip
    recorder = Recorder(workspace, lambda: current) if request.record else None
    attempts = AttemptRecorder(workspace, AttemptAuthor(request.actor, "drift"))
    options, resolver = probe_options(workspace, request.tuning), workspace.resolver()
    refuse_shared_secrets(
        workspace, Desired(current.snapshot), connectors, options, resolver, before=lambda: current
    )
    tester = LiveTester(options, resolver, attempts, progress)
    results = tester(connectors)
    now = datetime.now(UTC)
    checked = tuple(
        check(result, last, facts(last), now=now, cert_days=request.cert_days)
        for result in results
        for last in (last_tests[result.connector],)
    )
    recording = recorder.record(connectors, results) if recorder else Recording()
    return Drift(current.serial, request.cert_days, checked, recording)
