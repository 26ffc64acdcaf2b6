"""A dead address of a host costs a quarter of a second once, whatever else uses that host."""

from __future__ import annotations

import errno
import os
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from reconciler.mail.deadline import Deadline
from reconciler.mail.faults import Cancelled, TimedOut, Unreachable
from reconciler.mail.happy_eyeballs import ATTEMPT_DELAY, Winners, connect, in_turns
from reconciler.mail.resolve import ResolvedAddress
from tests.dead_address import dead_address

if TYPE_CHECKING:
    from collections.abc import Iterator

NEVER: Final = 3600.0
"""A delay after which no second attempt begins while a test lasts."""

V4, V6 = socket.AF_INET, socket.AF_INET6


def address(text: str, port: int = 993) -> ResolvedAddress:
    if ":" in text:
        return ResolvedAddress(V6, (text, port, 0, 0))
    return ResolvedAddress(V4, (text, port))


@pytest.fixture
def alive() -> Iterator[ResolvedAddress]:
    """An address that takes connections."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield address(*listener.getsockname())


@pytest.fixture
def dead() -> Iterator[ResolvedAddress]:
    """An address that answers nothing."""
    with dead_address() as place:
        yield address(*place)


@pytest.fixture
def closed() -> ResolvedAddress:
    """An address that refuses connections."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return address(*listener.getsockname())


def open_files() -> set[str]:
    return {item.name for item in Path("/proc/self/fd").iterdir()}


def test_the_families_take_turns_and_keep_their_order() -> None:
    given = [address(text) for text in ("2001:db8::1", "2001:db8::2", "192.0.2.1", "2001:db8::3")]
    texts = [item.text for item in in_turns(given)]
    assert texts == ["2001:db8::1", "192.0.2.1", "2001:db8::2", "2001:db8::3"]


def test_the_delay_is_that_of_the_standard() -> None:
    assert ATTEMPT_DELAY == 0.25


def test_an_address_that_answers_nothing_does_not_delay_the_next(
    dead: ResolvedAddress, alive: ResolvedAddress
) -> None:
    sock, won = connect((dead, alive), Deadline(30))
    with sock:
        assert won == alive
        assert sock.getpeername() == alive.address


def test_the_second_attempt_waits_for_its_delay(
    dead: ResolvedAddress, alive: ResolvedAddress
) -> None:
    with pytest.raises(TimedOut) as late:
        connect((dead, alive), Deadline(0.5), delay=NEVER)
    assert late.value.silent


def test_an_address_that_refuses_is_followed_by_the_next_at_once(
    closed: ResolvedAddress, alive: ResolvedAddress
) -> None:
    sock, won = connect((closed, alive), Deadline(30), delay=NEVER)
    with sock:
        assert won == alive


def test_a_family_that_this_machine_does_not_know_is_followed_by_the_next_at_once(
    monkeypatch: pytest.MonkeyPatch, alive: ResolvedAddress
) -> None:
    made = socket.socket

    def without_v6(family: int, kind: int) -> socket.socket:
        if family == V6:
            raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
        return made(family, kind)

    monkeypatch.setattr(socket, "socket", without_v6)
    sock, won = connect((address("2001:db8::1"), alive), Deadline(30), delay=NEVER)
    with sock:
        assert won == alive


def test_the_winner_is_tried_first_the_next_time(
    dead: ResolvedAddress, alive: ResolvedAddress
) -> None:
    winners = Winners()
    connect((dead, alive), Deadline(30), winners, delay=0.01)[0].close()
    sock, won = connect((dead, alive), Deadline(30), winners, delay=NEVER)
    with sock:
        assert won == alive


def test_an_address_that_no_longer_answers_is_not_preferred(
    dead: ResolvedAddress, alive: ResolvedAddress
) -> None:
    winners = Winners()
    winners.note(alive)
    winners.note(dead)
    assert winners.first((alive, dead)) == (dead, alive)
    connect((alive, dead), Deadline(30), winners, delay=0.01)[0].close()
    assert winners.first((dead, alive)) == (alive, dead)


def test_unknown_addresses_keep_the_order_of_the_name_system() -> None:
    winners = Winners()
    winners.note(address("192.0.2.9"))
    given = (address("192.0.2.2"), address("192.0.2.1"))
    assert winners.first(given) == given
    assert winners.first(()) == ()


def test_the_reason_is_the_servers_before_that_of_our_own_network(
    monkeypatch: pytest.MonkeyPatch, closed: ResolvedAddress
) -> None:
    refusal = os.strerror(errno.ECONNREFUSED)
    made = socket.socket.connect_ex

    def no_route(sock: socket.socket, to: tuple[str, int]) -> int:
        return errno.ENETUNREACH if to[0].startswith("192.0.2.") else made(sock, to)

    monkeypatch.setattr(socket.socket, "connect_ex", no_route)
    with pytest.raises(Unreachable, match=refusal):
        connect((address("192.0.2.1"), closed, address("192.0.2.2")), Deadline(30))
    with pytest.raises(Unreachable, match=os.strerror(errno.ENETUNREACH)):
        connect((address("192.0.2.1"),), Deadline(30))
    with pytest.raises(Unreachable, match="no address"):
        connect((), Deadline(30))


def test_it_can_be_cancelled_while_it_waits(dead: ResolvedAddress) -> None:
    cancelled = threading.Event()
    timer = threading.Timer(0.05, cancelled.set)
    timer.start()
    with pytest.raises(Cancelled):
        connect((dead,), Deadline(60, cancelled))
    timer.join()


def test_no_socket_of_a_lost_attempt_stays_open(
    dead: ResolvedAddress, closed: ResolvedAddress, alive: ResolvedAddress
) -> None:
    before = open_files()
    sock, _ = connect((dead, closed, dead, alive), Deadline(30), delay=0.01)
    sock.close()
    assert open_files() == before
