"""Servers that disconnect, change their mind or talk nonsense while a mail is submitted.

What counts is whether it happens before the final dot, when nothing can have been delivered, or after,
when only the server's answer tells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from typing import TYPE_CHECKING

import pytest

from reconciler.mail import smtp as module
from reconciler.mail.deadline import Deadline
from reconciler.mail.faults import (
    Declined,
    Disconnected,
    MailFault,
    ProtocolViolation,
    TimedOut,
    Uncertain,
)
from reconciler.mail.resolve import resolve
from reconciler.mail.smtp import Envelope, SmtpSession
from reconciler.mail.wire import Wire, WireLimits
from tests.hostile.scripts import hang_up, hold, says, smtp, takes

if TYPE_CHECKING:
    from tests.hostile.scripts import Answer
    from tests.hostile.server import HostileServer, Peer, Script

ENVELOPE = Envelope("support@contoso.example", ("ada@x.example", "bob@x.example", "eve@x.example"))
MAIL = b"Subject: hello\r\n\r\nHello.\r\n"
LONG_MAIL = MAIL + b"The same again.\r\n" * 500_000
"""More than the buffers of both sides hold."""

PIPELINING = "250-hostile.example\r\n250-PIPELINING\r\n250 SIZE 10000000\r\n"

Serve = Callable[["Script"], "HostileServer"]


@contextmanager
def session_with(server: HostileServer, limits: WireLimits | None = None) -> Iterator[SmtpSession]:
    deadline = Deadline(10)
    endpoints = resolve("127.0.0.1", server.port, deadline)
    session = SmtpSession(Wire.connect(endpoints, deadline, limits or WireLimits()))
    try:
        session.hello()
        yield session
    finally:
        session.close()


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for the last answer only as long as a test may take, not for the minutes in the standard."""
    monkeypatch.setattr(module, "_CONTENT_SECONDS", 1.0)


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("ehlo", [PIPELINING, "250 hostile.example\r\n"], ids=["pipelined", "not"])
def test_a_server_that_disconnects_before_the_text_has_nothing(
    serve: Serve, verb: str, ehlo: str
) -> None:
    server = serve(smtp(EHLO=ehlo, **{verb: hang_up}))
    with session_with(server) as session, pytest.raises(Disconnected):
        session.submit(ENVELOPE, MAIL)


def test_a_server_that_disconnects_during_the_text_has_nothing(serve: Serve) -> None:
    def data(peer: Peer, _: str) -> None:
        peer.send("354 go ahead\r\n")
        peer.line()
        hang_up(peer, "")

    server = serve(smtp(DATA=data))
    with session_with(server) as session, pytest.raises(Disconnected):
        session.submit(ENVELOPE, LONG_MAIL)


def test_what_a_server_says_during_the_text_before_disconnecting_is_its_answer(
    serve: Serve,
) -> None:
    def data(peer: Peer, _: str) -> None:
        peer.send("354 go ahead\r\n")
        peer.line()
        peer.send("552 5.3.4 Message too big for your quota\r\n")
        hang_up(peer, "")

    server = serve(smtp(DATA=data))
    with session_with(server) as session, pytest.raises(Declined) as caught:
        session.submit(ENVELOPE, LONG_MAIL)
    reply = caught.value.reply
    assert (caught.value.command, reply.code, reply.status) == ("DATA", "552", "5.3.4")
    assert "too big" in reply.text


@pytest.mark.parametrize(
    "after",
    [hang_up, hold, "", "gibberish\r\n", "999 2.0.0 ok\r\n", "354 go on\r\n", "2"],
    ids=["hangs up", "is silent", "waits", "gibberish", "no code", "asks for more", "half a line"],
)
def test_only_the_answer_to_the_final_dot_tells_whether_a_mail_was_accepted(
    serve: Serve, after: Answer
) -> None:
    server = serve(smtp(DATA=takes(after)))
    with session_with(server) as session, pytest.raises(Uncertain):
        session.submit(ENVELOPE, MAIL)


@pytest.mark.parametrize(
    ("answer", "code", "status"),
    [
        ("451 4.3.0 Try again later\r\n", "451", "4.3.0"),
        ("421 Shutting down\r\n", "421", ""),
        ("550 5.7.60 Client does not have permissions to send as\r\n", "550", "5.7.60"),
        ("554-5.7.1 refused\r\n554 5.7.1 as spam\r\n", "554", "5.7.1"),
    ],
)
def test_a_mail_that_is_refused_after_its_text_is_not_delivered(
    serve: Serve, answer: str, code: str, status: str
) -> None:
    server = serve(smtp(DATA=takes(answer)))
    with session_with(server) as session, pytest.raises(Declined) as caught:
        session.submit(ENVELOPE, MAIL)
    assert (caught.value.reply.code, caught.value.reply.status) == (code, status)


@pytest.mark.parametrize("ehlo", [PIPELINING, "250 hostile.example\r\n"], ids=["pipelined", "not"])
def test_each_refused_recipient_has_the_servers_reason(serve: Serve, ehlo: str) -> None:
    refusals = says(ada="550 5.1.1 No Ada here\r\n", eve="450 4.2.1 Eve is busy\r\n")
    server = serve(smtp(EHLO=ehlo, RCPT=refusals, DATA=takes("250 2.0.0 queued\r\n")))
    with session_with(server) as session:
        done = session.submit(ENVELOPE, MAIL)
    assert done.accepted == ("bob@x.example",)
    assert [(address, reply.code, reply.text) for address, reply in done.refused] == [
        ("ada@x.example", "550", "5.1.1 No Ada here"),
        ("eve@x.example", "450", "4.2.1 Eve is busy"),
    ]
    assert done.reply is not None
    assert done.reply.text == "2.0.0 queued"


@pytest.mark.parametrize("ehlo", [PIPELINING, "250 hostile.example\r\n"], ids=["pipelined", "not"])
def test_a_mail_without_an_accepted_recipient_sends_no_text_and_keeps_the_session(
    serve: Serve, ehlo: str
) -> None:
    refusals = says(ada="550 5.1.1 No Ada here\r\n")
    server = serve(smtp(EHLO=ehlo, RCPT=refusals, DATA=takes("250 2.0.0 queued\r\n")))
    with session_with(server) as session:
        refused = session.submit(Envelope(ENVELOPE.sender, ("ada@x.example",)), MAIL)
        assert not server.commands("DATA")
        taken = session.submit(Envelope(ENVELOPE.sender, ("bob@x.example",)), MAIL)
    assert (refused.accepted, refused.reply) == ((), None)
    assert taken.accepted == ("bob@x.example",)
    verbs = [line.partition(" ")[0] for line in server.lines]
    assert verbs[1:6] == ["MAIL", "RCPT", "RSET", "MAIL", "RCPT"]


@pytest.mark.parametrize("ehlo", [PIPELINING, "250 hostile.example\r\n"], ids=["pipelined", "not"])
def test_a_refused_sender_ends_it(serve: Serve, ehlo: str) -> None:
    server = serve(smtp(EHLO=ehlo, MAIL="552 5.3.4 Message size exceeds fixed limit\r\n"))
    with session_with(server) as session, pytest.raises(Declined) as caught:
        session.submit(ENVELOPE, MAIL)
    assert (caught.value.command, caught.value.reply.code) == ("MAIL", "552")
    assert not server.commands("DATA")


def test_no_text_goes_to_a_server_that_did_not_ask_for_it(serve: Serve) -> None:
    server = serve(smtp(DATA="250 2.0.0 done already\r\n"))
    with session_with(server) as session, pytest.raises(ProtocolViolation):
        session.submit(ENVELOPE, MAIL)
    assert "Hello." not in server.lines


def test_a_server_that_stops_reading_is_abandoned(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CONTENT_SECONDS", 0.3)
    monkeypatch.setattr(module, "_SLOWEST", 1e9)
    ended = Event()

    def data(peer: Peer, _: str) -> None:
        peer.send("354 go ahead\r\n")
        ended.wait(10)

    server = serve(smtp(DATA=data))
    with session_with(server) as session, pytest.raises(TimedOut):
        session.submit(ENVELOPE, LONG_MAIL)
    ended.set()


def test_lines_of_dots_arrive_as_they_are(serve: Serve) -> None:
    server = serve(smtp(DATA=takes("250 2.0.0 queued\r\n")))
    text = ["", ".", "..", ".hidden", "a.", " .", "...."]
    with session_with(server) as session:
        session.submit(ENVELOPE, "".join(f"{line}\r\n" for line in text).encode())
    start = server.lines.index("DATA") + 1
    sent = server.lines[start : start + len(text)]
    assert [line.removeprefix(".") for line in sent] == text
    assert server.lines[start + len(text)] == "."


def test_a_long_session_does_not_exceed_a_limit(serve: Serve) -> None:
    server = serve(smtp(EHLO=PIPELINING, DATA=takes("250 2.0.0 queued\r\n")))
    limits = WireLimits(total=1000, lines=30)
    with session_with(server, limits) as session:
        done = [session.submit(ENVELOPE, MAIL) for _ in range(20)]
    assert {item.accepted for item in done} == {ENVELOPE.recipients}


def test_endless_answers_about_one_mail_are_stopped(serve: Serve) -> None:
    server = serve(smtp(RCPT="250-2.1.5 and\r\n" * 100 + "250 2.1.5 ok\r\n"))
    with session_with(server, WireLimits(lines=30)) as session, pytest.raises(MailFault) as caught:
        session.submit(ENVELOPE, MAIL)
    assert isinstance(caught.value, ProtocolViolation)
