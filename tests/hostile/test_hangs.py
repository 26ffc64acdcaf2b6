"""Servers that stall, drip, flood and hang up: each test ends within its deadline."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import pytest

from reconciler.connection.failure import ErrorClass, Stage
from reconciler.connection.options import ProbeOptions
from reconciler.model.protocol import Protocol
from tests.hostile.scripts import hang_up, hold, imap, in_turn, smtp

if TYPE_CHECKING:
    from tests.hostile.conftest import Attack
    from tests.hostile.scripts import Answer
    from tests.hostile.server import Peer, Script

SERVERS = {Protocol.IMAP: imap, Protocol.SMTP: smtp}
BOTH = pytest.mark.parametrize("protocol", list(Protocol))
COMMANDS = [
    (Protocol.IMAP, "CAPABILITY", Stage.CAPABILITIES),
    (Protocol.IMAP, "AUTHENTICATE", Stage.AUTHENTICATION),
    (Protocol.IMAP, "NAMESPACE", Stage.MAILBOX),
    (Protocol.IMAP, "LIST", Stage.MAILBOX),
    (Protocol.IMAP, "EXAMINE", Stage.MAILBOX),
    (Protocol.SMTP, "EHLO", Stage.CAPABILITIES),
    (Protocol.SMTP, "AUTH", Stage.AUTHENTICATION),
    (Protocol.SMTP, "MAIL", Stage.ENVELOPE),
    (Protocol.SMTP, "RCPT", Stage.ENVELOPE),
    (Protocol.SMTP, "RSET", Stage.ENVELOPE),
]
AT_EACH_COMMAND = pytest.mark.parametrize(("protocol", "command", "stage"), COMMANDS)


def wrong_at(protocol: Protocol, command: str, answer: Answer) -> Script:
    """A server that behaves up to this command."""
    answers = {command: answer}
    if command == "CAPABILITY":  # which is asked for only if the greeting lists none
        return imap(greeting="* OK hi\r\n", **answers)
    if command == "RSET":  # whose answer is awaited only together with the others
        answers["EHLO"] = "250-hostile.example\r\n250-PIPELINING\r\n250 AUTH PLAIN\r\n"
    return SERVERS[protocol](**answers)


def flood(peer: Peer, _: str) -> None:
    """An endless line."""
    while True:
        peer.send(b"x" * 65536)


def chatter(peer: Peer, _: str) -> None:
    """Endless lines, each of them valid."""
    imap_or_smtp = b"* OK still here\r\n250-still here\r\n"
    first = imap_or_smtp[:17] if peer.lines[0].split()[0].lower() != "ehlo" else imap_or_smtp[17:]
    while True:
        peer.send(first * 4096)


@BOTH
def test_a_correct_server_passes(attack: Attack, protocol: Protocol) -> None:
    found = attack(protocol, SERVERS[protocol]())
    assert found.result.failed is None, found.result


@BOTH
def test_a_greeting_that_never_comes(attack: Attack, protocol: Protocol) -> None:
    stage, failure = attack(protocol, lambda peer: peer.hold(), hangs_at=Stage.CAPABILITIES).failure
    assert (stage, failure.error_class) == (Stage.CAPABILITIES, ErrorClass.TIMEOUT)


@BOTH
def test_one_octet_at_a_time_does_not_exceed_the_deadline(
    attack: Attack, protocol: Protocol
) -> None:
    greeting = b"* OK " if protocol is Protocol.IMAP else b"220 "
    found = attack(
        protocol, lambda peer: peer.drip(greeting + b"x" * 1000), hangs_at=Stage.CAPABILITIES
    )
    stage, failure = found.failure
    assert (stage, failure.error_class) == (Stage.CAPABILITIES, ErrorClass.TIMEOUT)
    assert found.seconds >= found.timeout


@AT_EACH_COMMAND
def test_silence_after_any_command_is_a_timeout(
    attack: Attack, protocol: Protocol, command: str, stage: Stage
) -> None:
    where, failure = attack(protocol, wrong_at(protocol, command, hold), hangs_at=stage).failure
    assert (where, failure.error_class) == (stage, ErrorClass.TIMEOUT)


@AT_EACH_COMMAND
def test_hanging_up_after_any_command_is_a_lost_connection(
    attack: Attack, protocol: Protocol, command: str, stage: Stage
) -> None:
    where, failure = attack(protocol, wrong_at(protocol, command, hang_up)).failure
    assert (where, failure.error_class) == (stage, ErrorClass.PROTOCOL)
    assert "closed the connection" in failure.cause


@AT_EACH_COMMAND
@pytest.mark.parametrize("answer", [flood, chatter])
def test_endless_text_is_cut_off(
    attack: Attack, protocol: Protocol, command: str, stage: Stage, answer: Answer
) -> None:
    options = ProbeOptions(timeout=10, retries=0)
    found = attack(protocol, wrong_at(protocol, command, answer), options=options)
    where, failure = found.failure
    assert (where, failure.error_class) == (stage, ErrorClass.PROTOCOL)


@pytest.mark.parametrize("answer", [flood, chatter])
@pytest.mark.parametrize(
    ("protocol", "command"), [(Protocol.IMAP, "LIST"), (Protocol.SMTP, "EHLO")]
)
def test_endless_text_takes_bounded_memory(
    attack: Attack, protocol: Protocol, command: str, answer: Answer
) -> None:
    tracemalloc.start()
    try:
        attack(protocol, wrong_at(protocol, command, answer))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 50_000_000


@AT_EACH_COMMAND
@pytest.mark.parametrize(
    "answer",
    [
        b"\x00\x00\x00\r\n",
        b"\xff\xfe\xfd\r\n",
        b"\r\n",
        b"999 what\r\n",
        b"+ \r\n+ \r\n",
        b"{tag}\r\n",
    ],
)
def test_nonsense_after_any_command_breaks_the_protocol(
    attack: Attack, protocol: Protocol, command: str, stage: Stage, answer: bytes
) -> None:
    script = wrong_at(protocol, command, answer)
    where, failure = attack(protocol, script, hangs_at=stage).failure
    assert where is stage
    assert failure.error_class in {ErrorClass.PROTOCOL, ErrorClass.TIMEOUT}


@pytest.mark.parametrize("size", [str(4 * 1024**3), "9" * 30, "9" * 5000])
def test_a_literal_of_many_gigabytes_is_not_waited_for(attack: Attack, size: str) -> None:
    script = imap(LIST=f'* LIST () "/" {{{{{size}}}}}\r\n'.replace("{{", "{").replace("}}", "}"))
    found = attack(Protocol.IMAP, script)
    stage, failure = found.failure
    assert (stage, failure.error_class) == (Stage.MAILBOX, ErrorClass.PROTOCOL)
    assert found.seconds < found.timeout


@pytest.mark.parametrize(
    "answer",
    [
        '* LIST () "/" (((((((\r\n{tag} OK\r\n',
        "* LIST " + "(" * 5000 + "\r\n{tag} OK\r\n",
        "* LIST () \r\n{tag} OK done\r\n",
        '* LIST () "/" "&never-ends"\r\n{tag} OK done\r\n',
        '* LIST () "/" {3}\r\nabc\r\n* LIST nonsense\r\n{tag} OK done\r\n',
    ],
)
def test_an_unreadable_folder_list_is_the_servers_fault(attack: Attack, answer: str) -> None:
    result = attack(Protocol.IMAP, imap(LIST=answer)).result
    assert result.failed is None or (
        result.failed.failure is not None
        and result.failed.failure.error_class is ErrorClass.PROTOCOL
    )


@BOTH
def test_a_dropped_connection_is_retried_once(attack: Attack, protocol: Protocol) -> None:
    script = in_turn(wrong_at(protocol, *DROPS[protocol]), SERVERS[protocol]())
    found = attack(protocol, script, options=ProbeOptions(timeout=5, retries=1))
    assert found.result.failed is None, found.result
    assert found.detail[Stage.DNS].endswith("try 2, after protocol")


DROPS: dict[Protocol, tuple[str, Answer]] = {
    Protocol.IMAP: ("LIST", hang_up),
    Protocol.SMTP: ("MAIL", hang_up),
}


@BOTH
def test_a_connection_dropped_at_sign_in_is_not_retried(attack: Attack, protocol: Protocol) -> None:
    command = "AUTHENTICATE" if protocol is Protocol.IMAP else "AUTH"
    script = wrong_at(protocol, command, hang_up)
    found = attack(protocol, script, options=ProbeOptions(timeout=5, retries=3))
    assert len(found.server.commands("AUTHENTICATE", "AUTH")) == 1


@BOTH
def test_the_deadline_covers_the_retries_too(attack: Attack, protocol: Protocol) -> None:
    script = wrong_at(protocol, *DROPS[protocol])
    found = attack(protocol, script, options=ProbeOptions(timeout=1, retries=1000))
    assert found.failure[1].error_class in {ErrorClass.PROTOCOL, ErrorClass.TIMEOUT}
    assert len(found.server.peers) <= 3
