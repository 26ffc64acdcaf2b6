"""The walk through the stages of one half of a connector, with a second try where that may help."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from reconciler.connection.base import Skip, sign_in
from reconciler.connection.context import FailureContext
from reconciler.connection.diagnosis import classify, is_temporary
from reconciler.connection.errors import AlreadyRefused
from reconciler.connection.failure import Failure, Protocol, Stage
from reconciler.connection.sign_in import SignIn
from reconciler.mail.deadline import Deadline
from reconciler.mail.faults import Cancelled, TimedOut
from reconciler.probe.result import ProtocolResult, StageOutcome, StageResult
from reconciler.probe.schedule import Refusals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from threading import Event
    from typing import TypeAlias

    from reconciler.connection.account import Account
    from reconciler.connection.base import AccountSession
    from reconciler.connection.observed import Observed
    from reconciler.connection.options import ProbeOptions
    from reconciler.mail.oauth import TokenSource
    from reconciler.secrets.base import SecretResolver

    Inspect: TypeAlias = Callable[
        [AccountSession, tuple[StageResult, ...], Callable[[str], str]], None
    ]

_BACK_OFF = 0.5
"""Seconds before a second try; every further one waits twice as long as the one before it."""

_LONGEST_BACK_OFF = 8.0
"""Seconds that no wait for a new try exceeds."""

_STAGES = {
    Protocol.IMAP: (
        Stage.DNS,
        Stage.TCP,
        Stage.TLS,
        Stage.CAPABILITIES,
        Stage.AUTHENTICATION,
        Stage.MAILBOX,
    ),
    Protocol.SMTP: (
        Stage.DNS,
        Stage.TCP,
        Stage.TLS,
        Stage.CAPABILITIES,
        Stage.AUTHENTICATION,
        Stage.ENVELOPE,
    ),
}


class ConnectionTest:
    """Tests one half, once. ``cancelled`` calls it off: then it raises Cancelled.

    ``inspect`` gets to see each attempt when its stages are through, before the connection is closed.
    ``refusals`` is what other halves were refused with; what this one is refused with is added to it.
    """

    def __init__(
        self,
        account: Account,
        resolver: SecretResolver,
        options: ProbeOptions,
        tokens: TokenSource,
        cancelled: Event | None = None,
        *,
        inspect: Inspect | None = None,
        refusals: Refusals | None = None,
    ) -> None:
        self._account = account
        self._inspect = inspect
        self._refusals = refusals or Refusals()
        self._options = options
        self._cancelled = cancelled
        self._sign_in = SignIn(account, resolver, options, tokens)
        self._error: Exception | None = None
        self._observed: Observed | None = None
        self.stage = Stage.SECRET

    def result(self) -> ProtocolResult:
        """Walk through the stages; whatever goes wrong is in the result."""
        account = self._account
        first = self._stage(Stage.SECRET, self._sign_in.prepare)
        rest = self._attempts() if first.outcome is StageOutcome.OK else ()
        done = (first, *rest)
        stopped = done[-1].outcome is StageOutcome.FAILED
        untouched = tuple(
            StageResult(stage, self._untouched(stage, stopped=stopped))
            for stage in _STAGES[account.protocol][len(rest) :]
        )
        return ProtocolResult(
            account.protocol,
            account.host,
            account.port,
            (*done, *untouched),
            self._via(),
            self._observed,
        )

    @contextmanager
    def signed_in(self, deadline: Deadline, then: Stage) -> Iterator[AccountSession]:
        """Sign in, for whatever is to be done at the stage ``then``; nothing is tried twice.

        What goes wrong is raised as it is, in the block too, and :meth:`explain` says what it means.
        """
        self.stage = Stage.SECRET
        self._sign_in.prepare()
        attempt = self._new_attempt(deadline)
        try:
            sign_in(attempt, self._reach)
            self._reach(then)
            yield attempt
        finally:
            attempt.close()

    def _reach(self, stage: Stage) -> None:
        self.stage = stage

    def explain(self, error: Exception) -> Failure:
        """What an error means at the stage that :meth:`signed_in` has come to."""
        return classify(
            error, FailureContext(self._account, self.stage, self._sign_in.redactor.show)
        )

    def broken(self, error: Exception) -> ProtocolResult:
        """What is left to say if the walk itself did not end as it should."""
        account = self._account
        failure = classify(
            error, FailureContext(account, Stage.SECRET, self._sign_in.redactor.show)
        )
        stage = StageResult(Stage.SECRET, StageOutcome.FAILED, failure=failure)
        return ProtocolResult(account.protocol, account.host, account.port, (stage,))

    def _via(self) -> str:
        place = self._options.connect_to.led(self._account.host, self._account.port)
        if place is None:
            return ""
        host, port = place
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def _untouched(self, stage: Stage, *, stopped: bool) -> StageOutcome:
        if not self._options.wants(stage):
            return StageOutcome.SKIPPED
        return StageOutcome.NOT_REACHED if stopped else StageOutcome.SKIPPED

    def _attempts(self) -> tuple[StageResult, ...]:
        deadline = Deadline(self._options.timeout, self._cancelled)
        results = self._attempt(deadline)
        for number in range(2, self._options.retries + 2):
            before = results[-1].failure if results else None
            if before is None or not self._may_try_again(results[-1].stage, number, deadline):
                break
            results = self._attempt(deadline)
            note = f"try {number}, after {before.error_class}"
            detail = "; ".join(part for part in (results[0].detail, note) if part)
            results = (replace(results[0], detail=detail), *results[1:])
        return results

    def _may_try_again(self, stage: Stage, number: int, deadline: Deadline) -> bool:
        if self._error is None or not is_temporary(self._error, stage):
            return False
        try:
            deadline.pause(back_off(number))
        except TimedOut:
            return False  # the first failure stands
        return True

    def _attempt(self, deadline: Deadline) -> tuple[StageResult, ...]:
        attempt = self._new_attempt(deadline)
        results: list[StageResult] = []
        try:
            for stage, step in attempt.stages:
                if not self._options.wants(stage):
                    break
                if stage is Stage.AUTHENTICATION:
                    results.append(self._sign_in_once(step))
                else:
                    results.append(self._stage(stage, step))
                if results[-1].outcome is StageOutcome.FAILED:
                    break
            self._observed = attempt.observed(self._sign_in.redactor.show) or self._observed
            if self._inspect is not None:
                self._inspect(attempt, tuple(results), self._sign_in.redactor.show)
        finally:
            attempt.close()
        return tuple(results)

    def _sign_in_once(self, step: Callable[[], str]) -> StageResult:
        def sign_in() -> str:
            host = self._refusals.host(self._account)
            if host is not None:
                raise AlreadyRefused(host)
            return step()

        result = self._stage(Stage.AUTHENTICATION, sign_in)
        if result.failure is not None and result.failure.wrong_password:
            self._refusals.note(self._account)
        return result

    def _new_attempt(self, deadline: Deadline) -> AccountSession:
        credential = partial(self._sign_in.credential, deadline)
        arguments = (self._account, self._options, deadline, credential)
        if self._account.protocol is Protocol.IMAP:
            from reconciler.connection.imap import ImapAccountSession  # noqa: PLC0415 - SMTP needs no imapclient

            return ImapAccountSession(*arguments)
        from reconciler.connection.smtp import SmtpAccountSession  # noqa: PLC0415 - IMAP needs no smtplib

        return SmtpAccountSession(*arguments)

    def _stage(self, stage: Stage, step: Callable[[], str]) -> StageResult:
        started = time.monotonic()
        self._error = None
        try:
            detail = step()
        except Cancelled:
            raise
        except Skip as reason:
            return StageResult(stage, StageOutcome.SKIPPED, detail=str(reason))
        except Exception as error:  # noqa: BLE001 - a defect in one test must not end the run
            self._error = error
            failure = classify(
                error, FailureContext(self._account, stage, self._sign_in.redactor.show)
            )
            return StageResult(
                stage, StageOutcome.FAILED, time.monotonic() - started, failure=failure
            )
        shown = self._sign_in.redactor.show(detail)
        return StageResult(stage, StageOutcome.OK, time.monotonic() - started, shown)


def back_off(number: int) -> float:
    """Seconds to wait before try ``number``; the first one that waits is 2."""
    return float(min(_BACK_OFF * 2 ** min(number - 2, 10), _LONGEST_BACK_OFF))
