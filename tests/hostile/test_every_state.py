"""The same attack at every step of a session: each test ends in time, with one class and a remedy."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import pytest

from reconciler.connection.failure import ErrorClass, Stage
from reconciler.connection.options import ProbeOptions
from reconciler.model.connector import Security
from reconciler.model.protocol import Protocol
from tests.hostile.scripts import hang_up, imap, smtp
from tests.hostile.test_hangs import AT_EACH_COMMAND, BOTH, wrong_at
from tests.hostile.test_tls import SERVERS, WITH_STARTTLS

if TYPE_CHECKING:
    from tests.hostile.conftest import Attack
    from tests.hostile.scripts import Answer
    from tests.hostile.server import Peer

RIGHT = {
    "CAPABILITY": b"* CAPABILITY IMAP4rev1 AUTH=PLAIN",
    "AUTHENTICATE": b"A0 OK welcome",
    "NAMESPACE": b'* NAMESPACE (("" "/")) NIL NIL',
    "LIST": b'* LIST () "/" INBOX',
    "EXAMINE": b"* 3 EXISTS",
    "EHLO": b"250-hostile.example",
    "AUTH": b"235 2.7.0 welcome",
    "MAIL": b"250 2.1.0 ok",
    "RCPT": b"250 2.1.5 ok",
    "RSET": b"250 2.0.0 ok",
}
"""How a correct answer to each command begins."""


@AT_EACH_COMMAND
def test_an_octet_at_a_time_ends_at_the_deadline(
    attack: Attack, protocol: Protocol, command: str, stage: Stage
) -> None:
    def drip(peer: Peer, _: str) -> None:
        peer.drip(RIGHT[command] + b"x" * 1000)

    found = attack(protocol, wrong_at(protocol, command, drip), hangs_at=stage)
    where, failure = found.failure
    assert (where, failure.error_class) == (stage, ErrorClass.TIMEOUT)
    assert found.seconds >= found.timeout


@AT_EACH_COMMAND
def test_hanging_up_within_a_line_is_reported_as_a_lost_connection(
    attack: Attack, protocol: Protocol, command: str, stage: Stage
) -> None:
    def account(peer: Peer, arguments: str) -> None:
        peer.send(RIGHT[command])
        hang_up(peer, arguments)

    where, failure = attack(protocol, wrong_at(protocol, command, account)).failure
    assert (where, failure.error_class) == (stage, ErrorClass.PROTOCOL)
    assert "closed the connection" in failure.cause


@AT_EACH_COMMAND
@pytest.mark.parametrize("end", [b"550 5.0.0 no\x00\r\n{tag} NO \x00no\r\n", b""])
def test_a_nul_in_an_answer_is_never_shown(
    attack: Attack, protocol: Protocol, command: str, stage: Stage, end: bytes
) -> None:
    answer = RIGHT[command] + b"\x00\x1b[2J\x00\r\n" + end
    options = ProbeOptions(timeout=1, retries=0)  # half a line is waited for
    result = attack(protocol, wrong_at(protocol, command, answer), options=options).result
    reasons = [item.failure for item in result.stages if item.failure is not None]
    texts = [item.detail for item in result.stages]
    texts += [text for item in reasons for text in (item.cause, item.remedy, item.reply)]
    assert all(text.isprintable() for text in texts)
    assert len(reasons) <= 1


@BOTH
def test_a_nul_in_the_greeting_is_never_shown(attack: Attack, protocol: Protocol) -> None:
    greeting = "* BYE \x00no\x00\r\n" if protocol is Protocol.IMAP else "554 5.0.0 \x00no\r\n"
    server = imap if protocol is Protocol.IMAP else smtp
    stage, failure = attack(protocol, server(greeting=greeting)).failure
    assert (stage, failure.error_class) == (Stage.CAPABILITIES, ErrorClass.REFUSED)
    assert "\x00" not in failure.reply


@pytest.mark.parametrize(
    "command", ["greeting", "CAPABILITY", "AUTHENTICATE", "NAMESPACE", "EXAMINE"]
)
def test_a_literal_of_4_gb_is_refused_wherever_it_is_announced(
    attack: Attack, command: str
) -> None:
    answer = b"* NAMESPACE {4294967296}\r\n" + b"x" * 100_000
    script = wrong_at(Protocol.IMAP, command, answer)
    if command == "greeting":
        script = imap(greeting=b"* OK {4294967296}\r\n" + b"x" * 100_000)
    tracemalloc.start()
    try:
        found = attack(Protocol.IMAP, script, options=ProbeOptions(timeout=10, retries=0))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.failure[1].error_class is ErrorClass.PROTOCOL
    assert peak < 50_000_000


@BOTH
def test_hanging_up_during_the_handshake(attack: Attack, protocol: Protocol) -> None:
    def script(peer: Peer) -> None:
        peer.send(b"\x16\x03\x03\x00\x7a\x02")  # the head of a ServerHello, and no more of it

    stage, failure = attack(protocol, script, plain=True).failure
    assert (stage, failure.error_class) == (Stage.TLS, ErrorClass.REFUSED)


@BOTH
def test_hanging_up_instead_of_the_handshake_after_starttls(
    attack: Attack, protocol: Protocol
) -> None:
    def go_and_hang_up(peer: Peer, arguments: str) -> None:
        tag = peer.lines[-1].partition(" ")[0]
        peer.send(f"{tag} OK go\r\n" if protocol is Protocol.IMAP else "220 2.0.0 go\r\n")
        hang_up(peer, arguments)

    answers: dict[str, Answer] = {**WITH_STARTTLS[protocol], "STARTTLS": go_and_hang_up}
    found = attack(protocol, SERVERS[protocol](**answers), security=Security.STARTTLS)
    stage, failure = found.failure
    assert (stage, failure.error_class) == (Stage.TLS, ErrorClass.PROTOCOL)
    assert "while TLS was being set up" in failure.cause
    assert not found.server.commands("AUTH", "AUTHENTICATE", "LOGIN")
