"""Which test may start next: hosts take turns, with a cap each, and an account is used once at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from reconciler.connection.account import accounts
from reconciler.model.protocol import Protocol
from reconciler.model.secret_ref import SecretRef
from reconciler.probe.schedule import Job, Schedule
from reconciler.values import replace
from tests.builders import connector, mail_server, receiving

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random


def jobs(pairs: Iterable[tuple[str, str]]) -> list[Job]:
    """A job for each pair of a host and a user."""
    return [
        Job(
            position, accounts(receiving("a", imap=mail_server("a", server=host, username=user)))[0]
        )
        for position, (host, user) in enumerate(pairs)
    ]


def taken(schedule: Schedule) -> list[Job]:
    """Every test that may start now."""
    found = []
    while (job := schedule.next()) is not None:
        found.append(job)
    return found


def positions(found: Iterable[Job]) -> list[int]:
    return [job.position for job in found]


def test_hosts_take_turns_up_to_their_cap() -> None:
    schedule = Schedule(jobs([("a", "1"), ("a", "2"), ("a", "3"), ("b", "1"), ("b", "2")]), 2)
    first = taken(schedule)
    assert positions(first) == [0, 3, 1, 4]
    schedule.done(first[0])
    assert positions(taken(schedule)) == [2]


def test_other_accounts_of_a_host_precede_one_that_is_in_use() -> None:
    schedule = Schedule(jobs([("a", "1"), ("a", "1"), ("a", "2"), ("a", "1")]), 3)
    first = taken(schedule)
    assert positions(first) == [0, 2]
    schedule.done(first[0])
    second = taken(schedule)
    assert positions(second) == [1]
    schedule.done(second[0])
    assert positions(taken(schedule)) == [3]


def test_one_account_is_the_same_over_both_protocols_of_a_host() -> None:
    both = connector("a", imap=mail_server("a", server="m.example"))
    assert both.smtp is not None
    same = connector("a", imap=both.imap, smtp=mail_server("a", "smtp", server="M.example"))
    schedule = Schedule([Job(0, account) for account in accounts(same)], 3)
    assert len(taken(schedule)) == 1


def test_accounts_with_one_password_are_tested_one_after_the_other_wherever_their_servers_are() -> (
    None
):
    imap, smtp = (
        mail_server("a", server="in.example"),
        mail_server("a", "smtp", server="out.example"),
    )
    other = replace(smtp, password=SecretRef("env", "OTHER"))
    apart = [Job(0, account) for account in accounts(connector("a", imap=imap, smtp=other))]
    assert len(taken(Schedule(apart, 3))) == 2
    both = [
        Job(position, account)
        for position in (0, 1)
        for account in accounts(
            connector("a", imap=imap, smtp=replace(smtp, password=imap.password))
        )
    ]
    schedule = Schedule(both, 3)
    (first,) = taken(schedule)
    assert (first.position, first.account.protocol) == (0, Protocol.IMAP)
    schedule.done(first)
    assert [(job.position, job.account.protocol) for job in taken(schedule)] == [
        (1, Protocol.IMAP),
        (0, Protocol.SMTP),
    ]


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("123")), max_size=30),
    st.integers(1, 4),
    st.randoms(use_true_random=False),
)
def test_every_test_is_run_once_and_no_cap_is_broken(
    accounts: list[tuple[str, str]], per_host: int, choice: Random
) -> None:
    schedule = Schedule(jobs(accounts), per_host)
    running: list[Job] = []
    done: list[Job] = []
    while True:
        running += taken(schedule)
        hosts = [job.account.host_key for job in running]
        assert all(hosts.count(host) <= per_host for host in hosts)
        assert len({job.account.account_key for job in running}) == len(running)
        if not running:
            break
        ended = running.pop(choice.randrange(len(running)))
        schedule.done(ended)
        done.append(ended)
    assert sorted(positions(done)) == list(range(len(accounts)))
