"""The test of one account: its stages in order, with retries where they may help."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from reconciler.back_off import BackOff
from reconciler.connection.account_secrets import AccountSecrets
from reconciler.connection.context import FailureContext
from reconciler.connection.diagnosis import classify, is_temporary
from reconciler.connection.failure import Stage
from reconciler.connection.rejections import Rejections
from reconciler.connection.session import SIGN_IN_STAGES, new_session
from reconciler.mail.faults import Cancelled, TimedOut
from reconciler.model.protocol import Protocol
from reconciler.probe.result import ProtocolResult, StageOutcome, StageResult
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event
    from typing import TypeAlias

    from reconciler.connection.access import Access
    from reconciler.connection.account import Account
    from reconciler.connection.base import AccountSession, PassedStage
    from reconciler.connection.observed import Observed
    from reconciler.mail.deadline import Deadline

    Inspect: TypeAlias = Callable[[AccountSession, tuple[StageResult, ...]], None]

RETRY: Final = BackOff(first=0.5, longest=8.0)
"""The waits before a test is tried again; the options say how often."""

TESTED: Final = {
    Protocol.IMAP: (*SIGN_IN_STAGES, Stage.MAILBOX),
    Protocol.SMTP: (*SIGN_IN_STAGES, Stage.ENVELOPE),
}
"""The stages of the test of an account."""


class ConnectionTest:
    """Tests one account, once. ``cancelled`` cancels it.

    ``inspect`` is called with each session and its results before it is closed. ``rejections`` are the
    passwords that were rejected before; one that is rejected here is added.
    """

    def __init__(
        self,
        account: Account,
        access: Access,
        cancelled: Event | None = None,
        *,
        rejections: Rejections | None = None,
        inspect: Inspect | None = None,
    ) -> None:
        self._account = account
        self._options = access.options
        self._cancelled = cancelled
        self._rejections = rejections or Rejections()
        self._secrets = AccountSecrets(account, access, self._rejections)
        self._inspect = inspect
        self._deadline: Deadline | None = None
        self._observed: Observed | None = None
        self._temporary = False

    def result(self) -> ProtocolResult:
        """Run the stages that the options select; failures are in the result. Raises Cancelled."""
        try:
            stages = self._options.tested(
                TESTED[self._account.protocol], self._account.connector.depth
            )
            done = self._attempt(stages)
            for number, delay in zip(range(2, self._options.retries + 2), RETRY, strict=False):
                failure = done[-1].failure
                if failure is None or not self._may_try_again(delay):
                    break
                again = self._attempt(stages[1:])  # the secret is already resolved
                note = f"try {number}, after {failure.error_class}"
                detail = "; ".join(part for part in (again[0].detail, note) if part)
                done = (done[0], replace(again[0], detail=detail), *again[1:])
        except Cancelled:
            raise
        except Exception as error:  # noqa: BLE001 - a defect in one test must not end the run
            done = (self._broken(error),)
        return self._result(done)

    def _attempt(self, stages: tuple[Stage, ...]) -> tuple[StageResult, ...]:
        results: list[StageResult] = []

        def passed(stage: PassedStage) -> None:
            if stage.skipped:
                results.append(StageResult(stage.stage, StageOutcome.SKIPPED, detail=stage.detail))
                return
            results.append(
                StageResult(
                    stage.stage,
                    StageOutcome.OK,
                    stage.seconds,
                    stage.detail,
                    warning=stage.warning,
                )
            )

        session = new_session(
            self._account, self._secrets, self._options, self._cancelled, self._deadline
        )
        self._temporary = False
        try:
            try:
                session.open(stages, passed)
            except Cancelled:
                raise
            except Exception as error:  # noqa: BLE001 - what it means is in the result
                results.append(self._failed(session, error))
            self._deadline = session.deadline
            self._observed = session.observed or self._observed
            if self._inspect is not None:
                self._inspect(session, tuple(results))
        finally:
            session.close()
        return tuple(results)

    def _failed(self, session: AccountSession, error: Exception) -> StageResult:
        self._temporary = is_temporary(error, session.stage)
        failure = session.explain(error)
        if failure.wrong_password:
            self._rejections.note(self._account)
        return StageResult(
            session.stage,
            StageOutcome.FAILED,
            time.monotonic() - session.began,
            failure=failure,
        )

    def _may_try_again(self, delay: float) -> bool:
        if self._deadline is None or not self._temporary:
            return False
        try:
            self._deadline.pause(delay)
        except TimedOut:
            return False  # the first failure counts
        return True

    def _broken(self, error: Exception) -> StageResult:
        where = FailureContext(self._account, Stage.SECRET, self._secrets.redactor)
        failure = classify(error, where)
        return StageResult(Stage.SECRET, StageOutcome.FAILED, failure=failure)

    def _result(self, done: tuple[StageResult, ...]) -> ProtocolResult:
        account = self._account
        stopped = done[-1].outcome is StageOutcome.FAILED
        untouched = tuple(
            StageResult(
                stage,
                StageOutcome.NOT_REACHED
                if stopped and self._options.wants(stage, account.connector.depth)
                else StageOutcome.SKIPPED,
            )
            for stage in TESTED[account.protocol][len(done) :]
        )
        place = self._options.connect_to.led(account.host, account.port)
        via = ""
        if place is not None:
            host, port = place
            via = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        return ProtocolResult(
            account.protocol,
            account.host,
            account.port,
            (*done, *untouched),
            via,
            self._observed,
        )
