"""Runs tests: one connector, or many at a time with bounded threads."""

from __future__ import annotations

import threading
import time
from collections import Counter
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.connection.access import Access
from reconciler.connection.account import accounts
from reconciler.connection.failure import Stage
from reconciler.connection.options import DEFAULT_OPTIONS, ProbeOptions
from reconciler.connection.rejections import Rejections
from reconciler.mail.faults import Cancelled
from reconciler.mail.tls import shared_context
from reconciler.model.protocol import Protocol
from reconciler.probe.result import ConnectorResult, ProtocolResult, StageOutcome, StageResult
from reconciler.probe.schedule import Job, Schedule
from reconciler.probe.stages import ConnectionTest
from reconciler.values import replace
from reconciler.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reconciler.mail.oauth import TokenSource
    from reconciler.model.connector import Connector
    from reconciler.probe.delivery import TestMailDelivery
    from reconciler.secrets.base import SecretResolver


class Timed(Struct, frozen=True):
    """The result of one account, and when it was made."""

    job: Job
    result: ProtocolResult
    started_at: datetime
    started: float
    ended: float


_SLICE = 0.1
"""Seconds between checks whether the run was cancelled, while waiting for results."""

_CLEAN_UP = 1.0
"""Seconds that running tests have to close their connections once a run is cancelled."""

NOT_SENT = (StageResult(Stage.DELIVERY, StageOutcome.NOT_REACHED),)
"""The result of a requested test mail if the connector itself failed."""


class Interrupted(KeyboardInterrupt):
    """A run was cancelled. ``results`` are the finished ones, ``not_run`` names the other connectors."""

    def __init__(self, results: tuple[ConnectorResult, ...], not_run: tuple[str, ...]) -> None:
        super().__init__(f"{counted(len(not_run), 'connector')} not tested")
        self.results = results
        self.not_run = not_run


def run(
    connectors: Sequence[Connector],
    resolver: SecretResolver,
    options: ProbeOptions = DEFAULT_OPTIONS,
    *,
    on_result: Callable[[ConnectorResult], None] | None = None,
    cancelled: threading.Event | None = None,
    tokens: TokenSource | None = None,
) -> tuple[ConnectorResult, ...]:
    """Test many connectors and wait for all of them; the results are in the order of the connectors.

    Drafts are skipped. ``on_result`` is called in this thread, in the order in which connectors finish.
    Ctrl-C, or setting ``cancelled``, cancels the run: connections are closed, and within a second or so
    Interrupted (a KeyboardInterrupt) is raised with the finished results. Raises UsageError if the CA
    file cannot be used.
    """
    shared_context(options.ca_file)
    chosen = tuple(connector for connector in connectors if not connector.draft)
    access = Access(resolver, tokens, options) if tokens else Access.with_tokens(resolver, options)
    return _Run(chosen, access, on_result).results(cancelled)


class _Run:
    """One run: a schedule, and threads that are started on demand."""

    def __init__(
        self,
        connectors: tuple[Connector, ...],
        access: Access,
        on_result: Callable[[ConnectorResult], None] | None,
    ) -> None:
        self._connectors = connectors
        self._access = access
        self._options = access.options
        self._rejections = Rejections()
        self._called_off = threading.Event()
        self._on_result = on_result
        self._jobs = tuple(
            Job(position, account)
            for position, connector in enumerate(connectors)
            for account in accounts(connector)
        )
        self._schedule = Schedule(self._jobs, self._options.per_host)
        self._mails: list[Job] = []
        self._threads: list[threading.Thread] = []
        self._work: SimpleQueue[Job | None] = SimpleQueue()
        self._done: SimpleQueue[Timed | BaseException] = SimpleQueue()
        self._accounts: dict[int, list[Timed]] = {}
        self._results: dict[int, ConnectorResult] = {}
        self._left = Counter(job.position for job in self._jobs)

    def results(self, cancelled: threading.Event | None) -> tuple[ConnectorResult, ...]:
        try:
            for position in range(len(self._connectors)):
                if not self._left[position]:
                    self._finish(position)
            self._work_through(self._schedule, len(self._jobs), cancelled)
            # Only now, so that nothing else touches the mailboxes in which they are searched.
            mails = Schedule(self._mails, self._options.per_host)
            self._work_through(mails, len(self._mails), cancelled)
        except KeyboardInterrupt:
            raise Interrupted(self._in_order(), self._not_run()) from None
        finally:
            self._stop()
        return self._in_order()

    def _work_through(
        self, schedule: Schedule, remaining: int, cancelled: threading.Event | None
    ) -> None:
        running = 0
        while remaining:
            while running < self._options.concurrency and (job := schedule.next()):
                running += 1
                self._start(job, running)
            if cancelled is not None and cancelled.is_set():
                raise KeyboardInterrupt
            try:
                timed = self._done.get(timeout=_SLICE)
            except Empty:
                continue
            if isinstance(timed, BaseException):
                raise timed
            running -= 1
            remaining -= 1
            schedule.done(timed.job)
            self._take(timed)

    def _start(self, job: Job, running: int) -> None:
        if running > len(self._threads):
            # Daemons, because a hanging DNS query or secret must not keep the program alive.
            thread = threading.Thread(target=self._thread, name=f"probe-{running}", daemon=True)
            self._threads.append(thread)
            thread.start()
        self._work.put(job)

    def _thread(self) -> None:
        while (job := self._work.get()) is not None and not self._called_off.is_set():
            started_at, started = datetime.now(UTC), time.monotonic()
            try:
                result = self._new_test(job).result()
                self._done.put(Timed(job, result, started_at, started, time.monotonic()))
            except Cancelled:
                return
            except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
                self._done.put(error)
                return

    def _new_test(self, job: Job) -> ConnectionTest | TestMailDelivery:
        if not job.test_mail:
            return ConnectionTest(
                job.account, self._access, self._called_off, rejections=self._rejections
            )
        from reconciler.probe.delivery import TestMailDelivery  # noqa: PLC0415 - rarely asked for

        return TestMailDelivery(job.account, self._access, self._called_off)

    def _take(self, timed: Timed) -> None:
        position = timed.job.position
        self._accounts.setdefault(position, []).append(timed)
        self._left[position] -= 1
        if self._left[position]:
            return
        job = None
        if not timed.job.test_mail:
            job = self._test_mail(self._accounts[position])
        if job is None:
            self._finish(position)
        else:
            self._left[position] = 1
            self._mails.append(job)

    def _test_mail(self, parts: list[Timed]) -> Job | None:
        """Return the test mail that follows these tests, None if there is none to send.

        A connector that has failed sends none: its sign-in could be rejected once more.
        """
        own = parts[0].job.account.connector.depth
        if not self._options.wants(Stage.DELIVERY, own) or any(
            part.result.failed for part in parts
        ):
            return None
        smtp = next((part for part in parts if part.result.protocol is Protocol.SMTP), None)
        return None if smtp is None else replace(smtp.job, test_mail=True)

    def _finish(self, position: int) -> None:
        result = _joined(
            self._connectors[position], self._accounts.pop(position, []), self._options
        )
        self._results[position] = result
        if self._on_result is not None:
            self._on_result(result)

    def _stop(self) -> None:
        self._called_off.set()
        for _ in self._threads:
            self._work.put(None)
        until = time.monotonic() + _CLEAN_UP
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _in_order(self) -> tuple[ConnectorResult, ...]:
        return tuple(self._results[position] for position in sorted(self._results))

    def _not_run(self) -> tuple[str, ...]:
        return tuple(
            connector.name
            for position, connector in enumerate(self._connectors)
            if position not in self._results
        )


def _joined(connector: Connector, parts: list[Timed], options: ProbeOptions) -> ConnectorResult:
    """Combine the accounts, IMAP first, in whatever order they finished; a test mail belongs to SMTP."""
    if not parts:
        return ConnectorResult(connector.name, datetime.now(UTC), 0.0, ())
    first = min(parts, key=lambda part: part.started)
    results = {part.result.protocol: part.result for part in parts if not part.job.test_mail}
    sending = results.get(Protocol.SMTP)
    if sending is not None and options.wants(Stage.DELIVERY, connector.depth):
        mail = next((part.result.stages for part in parts if part.job.test_mail), NOT_SENT)
        results[Protocol.SMTP] = replace(sending, stages=(*sending.stages, *mail))
    return ConnectorResult(
        connector.name,
        first.started_at,
        max(part.ended for part in parts) - first.started,
        tuple(sorted(results.values(), key=lambda result: result.protocol)),
    )
