"""The audit of sign-ins: each secret and its destination is recorded before the connection."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.app.audit import Pruned, fresh_id, pruning
from reconciler.connection.failure import Stage
from reconciler.errors import StateError
from reconciler.model.sign_in_attempt import AttemptOutcome, SignInAttempt
from reconciler.plan.credentials import uses
from reconciler.plan.planner import identities
from reconciler.probe.result import StageOutcome
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager

    from reconciler.app.actor import Actor
    from reconciler.app.workspace import Workspace
    from reconciler.model.connector import Connector
    from reconciler.model.credential_use import Destination
    from reconciler.model.secret_ref import SecretRef
    from reconciler.model.sign_in_attempt import AttemptFilter
    from reconciler.plan.credentials import Identify
    from reconciler.plan.inputs import Desired
    from reconciler.probe.result import ConnectorResult, ProtocolResult
    from reconciler.state.base import AttemptLog, StateStore


class AttemptAuthor(Struct, frozen=True):
    """Who runs which command."""

    actor: Actor
    command: str


class AttemptRecorder:
    """Writes attempts to sign in into the state: one transaction before a run of tests, one after it.

    ``store`` is the state if it is already open. Nothing is recorded in a sandbox, because no
    secret leaves the machine, or before the state exists. If the state cannot be written, the
    tests run all the same, and ``problem`` says what is wrong.
    """

    def __init__(
        self,
        workspace: Workspace,
        author: AttemptAuthor,
        desired: Desired | None = None,
        *,
        store: StateStore | None = None,
    ) -> None:
        self._workspace = workspace
        self._author = author
        self._identify: Identify = identities(desired) if desired is not None else str
        self._store = store
        self._begun: tuple[SignInAttempt, ...] = ()
        self.problem = ""

    def begin(self, connectors: Iterable[Connector]) -> None:
        """Record which secrets are about to be sent where."""
        self.begin_uses(
            (connector.name, *use) for connector in connectors for use in uses(connector)
        )

    def begin_uses(self, found: Iterable[tuple[str, str, SecretRef, Destination]]) -> None:
        """Record secrets that are about to be sent: the connector, its protocol, the reference, the destination."""
        if self._workspace.trust.sandboxed:
            return
        now = datetime.now(UTC)
        self._begun = tuple(
            SignInAttempt(
                id=fresh_id(),
                at=now,
                actor=self._author.actor.name,
                actor_source=self._author.actor.source,
                command=self._author.command,
                connector=connector,
                protocol=protocol,
                reference=reference,
                identity=self._identify(reference),
                destination=destination,
            )
            for connector, protocol, reference, destination in dict.fromkeys(found)
        )
        if not self._begun:
            return
        try:
            with self._opened() as log:
                log.record_attempts(self._begun)
        except StateError as error:
            self._begun = ()
            self.problem = f"attempts to sign in are not recorded: {error.message}"

    def end(self, results: Iterable[ConnectorResult]) -> None:
        """Record how the attempts ended; those without a result get no outcome."""
        found = {
            (result.connector, protocol.protocol.value): protocol
            for result in results
            for protocol in result.protocols
        }
        ended = tuple(
            replace(item, outcome=outcome, error_class=error_class)
            for item in self._begun
            if (protocol := found.get((item.connector, item.protocol))) is not None
            for outcome, error_class in (_ending(protocol),)
        )
        self._finish(ended)

    def end_uses(self, outcome: AttemptOutcome) -> None:
        """Record how every started attempt ended."""
        self._finish(tuple(replace(item, outcome=outcome) for item in self._begun))

    def _finish(self, ended: tuple[SignInAttempt, ...]) -> None:
        self._begun = ()
        if not ended:
            return
        try:
            with self._opened() as log:
                log.finish_attempts(ended)
        except StateError as error:
            self.problem = (
                f"the outcomes of the attempts to sign in are not recorded: {error.message}"
            )

    def _opened(self) -> AbstractContextManager[AttemptLog]:
        return nullcontext(self._store) if self._store is not None else self._workspace.writing()


def _ending(protocol: ProtocolResult) -> tuple[AttemptOutcome, str]:
    """How the sign-in of a protocol ended; earlier stages send no secret."""
    sign_in = next((item for item in protocol.stages if item.stage is Stage.AUTHENTICATION), None)
    failed = protocol.failed
    failure = failed.failure if failed is not None else None
    error_class = failure.error_class.value if failure is not None else ""
    if sign_in is not None and sign_in.outcome is StageOutcome.OK:
        return AttemptOutcome.SIGNED_IN, ""
    if sign_in is not None and sign_in.outcome is StageOutcome.FAILED:
        return AttemptOutcome.FAILED, error_class
    return AttemptOutcome.NOT_SENT, error_class


def recorded_attempts(
    workspace: Workspace, chosen: AttemptFilter, limit: int
) -> tuple[SignInAttempt, ...]:
    """The newest attempts to sign in that match, newest first."""
    with workspace.reading() as reader:
        return reader.attempts(chosen, limit=limit)


@contextmanager
def each_attempt(
    workspace: Workspace, chosen: AttemptFilter, limit: int
) -> Iterator[Iterator[SignInAttempt]]:
    """The same, one at a time, without a limit."""
    with workspace.reading() as reader, reader.each_attempt(chosen, limit=limit) as found:
        yield found


def prune_attempts(workspace: Workspace, actor: Actor, before: datetime) -> Pruned:
    """Forget the attempts from before a moment; raises NotAuthorised.

    The state still remembers where secrets went.
    """
    with pruning(workspace, actor, "the attempts to sign in") as store:
        return Pruned(store.forget_attempts(before), store.give_space_back())
