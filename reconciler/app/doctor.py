"""The doctor: a longer look at one connector of the configuration."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache, partial
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.app.attempts import AttemptAuthor, AttemptRecorder
from reconciler.app.credential_gate import (
    CredentialApprover,
    refuse_new_credentials,
    refuse_shared_secrets,
)
from reconciler.app.record_tests import load_before
from reconciler.app.selection import named_connector
from reconciler.app.test import AS_SET, Tuning, probe_options
from reconciler.errors import UsageError
from reconciler.plan.inputs import NO_OVERRIDES, Overrides
from reconciler.probe.doctor import ExaminedAccount, examine, verdict
from reconciler.probe.result import ConnectorResult
from reconciler.values import replace

if TYPE_CHECKING:
    from reconciler.app.actor import Actor
    from reconciler.app.workspace import Workspace
    from reconciler.model.connector import Connector


class DoctorRun(Struct, frozen=True):
    """What was found at ``at`` (UTC), and the verdict.

    ``problem`` is what could not be recorded.
    """

    connector: Connector
    at: datetime
    accounts: tuple[ExaminedAccount, ...]
    verdict: str
    problem: str = ""

    @property
    def result(self) -> ConnectorResult:
        """The same as the result of a test."""
        seconds = sum(stage.seconds for item in self.accounts for stage in item.result.stages)
        accounts = tuple(item.result for item in self.accounts)
        return ConnectorResult(self.connector.name, self.at, seconds, accounts)


def examine_connector(
    workspace: Workspace,
    name: str,
    actor: Actor,
    tuning: Tuning = AS_SET,
    *,
    overrides: Overrides = NO_OVERRIDES,
    approver: CredentialApprover | None = None,
) -> DoctorRun:
    """Examine a connector; records only the attempt to sign in.

    Raises ConfigurationInvalid, PlanRefused if a secret would go to an unapproved destination,
    and UsageError for an unknown connector or a draft.
    """
    _, desired = workspace.load_valid()
    connector = named_connector(desired, name)
    if connector.draft:
        raise UsageError(f"{name} is a draft, and drafts are never tested")
    options = probe_options(workspace, tuning)
    before = cache(partial(load_before, workspace))
    refuse_new_credentials(
        workspace,
        desired,
        (connector,),
        options,
        before=before,
        overrides=overrides,
        approver=approver,
    )
    resolver = workspace.resolver()
    refuse_shared_secrets(
        workspace,
        desired,
        (connector,),
        options,
        resolver,
        before=before,
        overrides=overrides,
        approver=approver,
    )
    attempts = AttemptRecorder(workspace, AttemptAuthor(actor, "doctor"), desired)
    attempts.begin((connector,))
    run: DoctorRun | None = None
    try:
        accounts = examine(connector, resolver, options)
        now = datetime.now(UTC)
        run = DoctorRun(connector, now, accounts, verdict(name, accounts, now))
    finally:
        attempts.end((run.result,) if run is not None else ())
    return replace(run, problem=attempts.problem)
