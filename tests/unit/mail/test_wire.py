from __future__ import annotations

import socket
from threading import Event, Thread
from typing import TYPE_CHECKING

import pytest

from reconciler.mail.deadline import Deadline
from reconciler.mail.faults import Cancelled, Disconnected, ProtocolViolation, TimedOut, Unreachable
from reconciler.mail.resolve import resolve
from reconciler.mail.tls import shared_context
from reconciler.mail.wire import Wire, WireLimits

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMITS = WireLimits(line=64, total=256, lines=5)


@pytest.fixture
def ends() -> Iterator[tuple[Wire, socket.socket]]:
    ours, theirs = socket.socketpair()
    wire = Wire(ours, Deadline(5), LIMITS)
    with theirs:
        yield wire, theirs
    wire.close()


def test_lines_and_octets_come_as_they_were_sent(ends: tuple[Wire, socket.socket]) -> None:
    wire, theirs = ends
    assert wire.silent is True
    theirs.sendall(b"one\r\ntwo\r\nabcdef")
    assert wire.readline() == b"one\r\n"
    assert wire.read(0) == b""
    assert wire.readline() == wire.last_line == b"two\r\n"
    assert wire.read(6) == b"abcdef"
    assert not wire.encrypted
    assert wire.tls is None


@pytest.mark.parametrize("sent", [b"x" * 64, b"x" * 64 + b"\n", b"x" * 200])
def test_a_line_beyond_the_limit_is_a_violation(
    ends: tuple[Wire, socket.socket], sent: bytes
) -> None:
    wire, theirs = ends
    theirs.sendall(sent)
    with pytest.raises(ProtocolViolation):
        wire.readline()


def test_too_many_octets_are_a_violation_whether_announced_or_sent(
    ends: tuple[Wire, socket.socket],
) -> None:
    wire, theirs = ends
    with pytest.raises(ProtocolViolation):
        wire.read(257)
    theirs.sendall(b"x" * 300)
    with pytest.raises(ProtocolViolation):
        wire.read(256)


def test_too_many_lines_are_a_violation(ends: tuple[Wire, socket.socket]) -> None:
    wire, theirs = ends
    theirs.sendall(b"\n" * 6)
    for _ in range(5):
        wire.readline()
    with pytest.raises(ProtocolViolation):
        wire.readline()


def test_an_end_in_the_middle_is_a_disconnection(ends: tuple[Wire, socket.socket]) -> None:
    wire, theirs = ends
    theirs.sendall(b"half a line")
    theirs.close()
    with pytest.raises(Disconnected) as gone:
        wire.readline()
    assert not gone.value.silent


def test_without_a_size_everything_is_read_to_the_end(ends: tuple[Wire, socket.socket]) -> None:
    wire, theirs = ends
    theirs.sendall(b"all of it")
    theirs.close()
    assert wire.read() == b"all of it"


def test_silence_ends_at_the_deadline_and_is_reported_as_such(
    ends: tuple[Wire, socket.socket],
) -> None:
    wire, _ = ends
    wire.deadline = Deadline(0.05)
    with pytest.raises(TimedOut) as late:
        wire.readline()
    assert late.value.silent


def test_a_wait_can_be_cancelled(ends: tuple[Wire, socket.socket]) -> None:
    wire, _ = ends
    cancelled = Event()
    wire.deadline = Deadline(60, cancelled)
    Thread(target=cancelled.set).start()
    with pytest.raises(Cancelled):
        wire.readline()


def test_sending_does_not_block_forever(ends: tuple[Wire, socket.socket]) -> None:
    wire, _ = ends
    wire.deadline = Deadline(0.1)
    with pytest.raises(TimedOut):
        wire.sendall(b"x" * 50_000_000)


def test_the_last_line_of_a_server_that_hung_up_is_read(
    ends: tuple[Wire, socket.socket],
) -> None:
    wire, theirs = ends
    theirs.sendall(b"* BYE enough\r\n")
    theirs.close()
    with pytest.raises(Disconnected):
        wire.sendall(b"x")
    assert wire.last_line == b"* BYE enough"


def test_tls_does_not_start_behind_text_that_was_not_asked_for(
    ends: tuple[Wire, socket.socket],
) -> None:
    wire, theirs = ends
    theirs.sendall(b"220 go ahead\r\n235 you are in\r\n")
    wire.readline()
    with pytest.raises(ProtocolViolation):
        wire.start_tls(shared_context(None), "localhost")


def test_after_an_address_that_refuses_the_next_is_tried() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        deadline = Deadline(5)
        deaf, good = resolve("127.0.0.2", port, deadline), resolve("127.0.0.1", port, deadline)
        wire = Wire.connect((*deaf, *good), deadline)
        assert wire.local_address.startswith("127.")
        wire.close()
    with pytest.raises(Unreachable):
        Wire.connect((*deaf, *good), Deadline(5))
    with pytest.raises(Unreachable):
        Wire.connect((), Deadline(5))
