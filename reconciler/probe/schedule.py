"""Which test may start next: so many at a time of one host, one at a time of one account."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.probe.half import Half

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Job:
    """One half of the connector at ``position`` in the run."""

    position: int
    half: Half


class Schedule:
    """The tests that wait. A pure value with a memory: it starts nothing and waits for nothing.

    Hosts take turns in the order of their first test, so that many tests of one slow host do not hold up
    the others.
    """

    def __init__(self, jobs: Iterable[Job], per_host: int) -> None:
        self._per_host = per_host
        self._waiting: dict[str, deque[Job]] = {}
        for job in jobs:
            self._waiting.setdefault(job.half.host_key, deque()).append(job)
        self._ready = deque(self._waiting)
        self._running: dict[str, int] = dict.fromkeys(self._waiting, 0)
        self._accounts: set[tuple[str, str]] = set()

    def next(self) -> Job | None:
        """Take the next test that may start; None if all that wait have to wait longer."""
        while self._ready:
            host = self._ready.popleft()
            job = self._take(host)
            if job is not None:
                self._ready.append(host)
                self._running[host] += 1
                self._accounts.add(job.half.account_key)
                return job
        return None

    def done(self, job: Job) -> None:
        """Note that a test that was taken is over."""
        host = job.half.host_key
        self._running[host] -= 1
        self._accounts.discard(job.half.account_key)
        if host not in self._ready:
            self._ready.append(host)

    def _take(self, host: str) -> Job | None:
        if self._running[host] >= self._per_host:
            return None
        waiting = self._waiting[host]
        for position, job in enumerate(waiting):
            if job.half.account_key not in self._accounts:
                del waiting[position]
                return job
        return None
