"""Schedules tests: a limited number at a time per host, one at a time per account or password."""

from __future__ import annotations

from collections import OrderedDict, deque
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.connection.account import Account
    from reconciler.model.secret_ref import SecretRef


class Job(Struct, frozen=True):
    """One account of the connector at ``position`` in the run; or its test mail, which that account sends."""

    position: int
    account: Account
    test_mail: bool = False

    @property
    def password_key(self) -> tuple[int, str, SecretRef] | None:
        """What the accounts of a connector that sign in with the same password have in common."""
        password = self.account.settings.password
        return (
            None
            if password is None
            else (self.position, self.account.username.casefold(), password)
        )


class Schedule:
    """The waiting tests. Only bookkeeping: it starts nothing and waits for nothing.

    Hosts take turns in the order of their first test, so that many tests of one slow host do not hold
    up the others. Accounts of a connector with the same password come one after the other, so that the
    second knows the result of the first. The next one is found in a few steps, however many wait.
    """

    def __init__(self, jobs: Iterable[Job], per_host: int) -> None:
        self._per_host = per_host
        self._hosts: dict[str, _Host] = {}
        self._ready: OrderedDict[str, None] = OrderedDict()
        self._followers: dict[tuple[int, str, SecretRef], deque[tuple[int, Job]]] = {}
        for number, job in enumerate(jobs):
            key = job.password_key
            if key is not None and key in self._followers:
                self._followers[key].append((number, job))
                continue
            if key is not None:
                self._followers[key] = deque()
            self._add(number, job)

    def next(self) -> Job | None:
        """Take the next test that may start; None if all have to wait longer."""
        while self._ready:
            name, _ = self._ready.popitem(last=False)
            host = self._hosts[name]
            if host.running < self._per_host and host.free:
                self._ready[name] = None
                return host.take()
        return None

    def done(self, job: Job) -> None:
        """Note that a started test is over."""
        name = job.account.host_key
        self._hosts[name].done(job)
        self._ready.setdefault(name)
        followers = self._followers[job.password_key] if job.password_key else None
        if followers:
            self._add(*followers.popleft())

    def _add(self, number: int, job: Job) -> None:
        name = job.account.host_key
        self._hosts.setdefault(name, _Host()).add(number, job)
        self._ready.setdefault(name)


class _Host:
    """The tests of one host. ``free`` holds, in order, the first of every account that is not in use."""

    def __init__(self) -> None:
        self.running = 0
        self.free: list[tuple[int, Job]] = []
        self._later: dict[tuple[str, str], deque[tuple[int, Job]]] = {}

    def add(self, number: int, job: Job) -> None:
        account = job.account.account_key
        if account in self._later:
            self._later[account].append((number, job))
        else:
            self._later[account] = deque()
            heappush(self.free, (number, job))

    def take(self) -> Job:
        self.running += 1
        return heappop(self.free)[1]

    def done(self, job: Job) -> None:
        self.running -= 1
        account = job.account.account_key
        if self._later[account]:
            heappush(self.free, self._later[account].popleft())
        else:
            del self._later[account]
