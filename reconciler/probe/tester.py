"""Tests one half of a connector, or sends its test mail, with what all tests of a run have in common."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from reconciler.mail.deadline import Deadline
from reconciler.mail.faults import Cancelled
from reconciler.probe.refusals import Refusals
from reconciler.probe.result import Protocol, ProtocolResult, Stage
from reconciler.probe.schedule import Job
from reconciler.probe.walk import Walk

if TYPE_CHECKING:
    from reconciler.mail.oauth import TokenSource
    from reconciler.probe.half import Half
    from reconciler.probe.options import ProbeOptions
    from reconciler.secrets.base import SecretResolver


@dataclass(frozen=True, slots=True)
class Timed:
    """The result of one half, and when it was made."""

    job: Job
    result: ProtocolResult
    started_at: datetime
    started: float
    ended: float


class Tester:
    """Tests halves, in any thread. ``stop`` calls off whatever is under way: then it raises Cancelled."""

    def __init__(
        self, resolver: SecretResolver, options: ProbeOptions, tokens: TokenSource
    ) -> None:
        self.options = options
        self.stop = threading.Event()
        self._refusals = Refusals()
        self._resolver = resolver
        self._tokens = tokens

    def test(self, job: Job) -> Timed:
        """Test a half or send its test mail; whatever goes wrong is in the result."""
        started_at, started = datetime.now(UTC), time.monotonic()
        if job.test_mail:
            result = self._test_mail(job.half)
            return Timed(job, result, started_at, started, time.monotonic())
        walk = Walk(
            job.half,
            self._resolver,
            self.options,
            self._tokens,
            self.stop,
            refusals=self._refusals,
        )
        try:
            result = walk.result()
        except Cancelled:
            raise
        except Exception as error:  # noqa: BLE001 - a defect in one test must not end the run
            result = walk.broken(error)
        return Timed(job, result, started_at, started, time.monotonic())

    def test_mail(self, parts: list[Timed]) -> Job | None:
        """The test mail that is to follow these tests; None if there is none to send.

        A connector that has failed gets none: signing in again would be one more refused sign-in.
        """
        if not self.options.wants(Stage.DELIVERY) or any(part.result.failed for part in parts):
            return None
        sending = next((part for part in parts if part.result.protocol is Protocol.SMTP), None)
        return None if sending is None else replace(sending.job, test_mail=True)

    def _test_mail(self, half: Half) -> ProtocolResult:
        from reconciler.probe.delivery import Delivery  # noqa: PLC0415 - hardly ever wanted

        def walk(half: Half) -> Walk:
            return Walk(half, self._resolver, self.options, self._tokens, self.stop)

        deadline = Deadline(self.options.timeout, self.stop)
        stage = Delivery(half, walk, deadline, self.options.delivery_seconds).result()
        return ProtocolResult(half.protocol, half.host, half.port, (stage,))
