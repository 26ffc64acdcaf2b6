"""What strangers try at a port that accepts mail."""

from __future__ import annotations

import base64
import contextlib
import json
import smtplib
import socket
import ssl
import time
from typing import TYPE_CHECKING, Any, Final

import pytest

from reconciler.gateway.throttle import BY_ADDRESS
from tests.functional.conftest import live_home
from tests.functional.gateway.conftest import DEADLINE, PASSWORD, SENDER, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.sandbox.session import Session
    from tests.functional.conftest import Home
    from tests.functional.gateway.conftest import Running

TO = "victim@elsewhere.example"
HEAD = f"From: {SENDER}\r\nTo: {TO}\r\nSubject: x\r\n"
PLAIN = base64.b64encode(f"\0grafana\0{PASSWORD}".encode()).decode()


class Wire:
    """A connection that sends given text, and reads whole replies."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE)
        self._file = self.socket.makefile("rb")

    def reply(self) -> str:
        """Read a reply of any number of lines; empty at the end of the connection."""
        lines = []
        while line := self._file.readline().decode():
            lines.append(line)
            if line[3:4] != "-":
                break
        return "".join(lines)

    def send(self, text: str | bytes) -> None:
        self.socket.sendall(text.encode() if isinstance(text, str) else text)

    def ask(self, line: str) -> str:
        self.send(f"{line}\r\n")
        return self.reply()

    def close(self) -> None:
        self._file.close()
        self.socket.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, example_session: Session) -> Home:
    """The shipped example, applied."""
    home = live_home(tmp_path_factory.mktemp("gateway") / "home", example_session)
    home.environ["GRAFANA_SMTP_PASSWORD"] = PASSWORD
    home.apply_untested()
    return home


@pytest.fixture(scope="module")
def gateway(shared: Home) -> Iterator[Running]:
    """A gateway for all tests that need none of their own."""
    with running(shared, shared.folder.parent) as found:
        yield found


@pytest.fixture
def wire(gateway: Running) -> Iterator[Wire]:
    """A connection without TLS that has said EHLO."""
    opened = Wire(gateway.ports["none"])
    assert opened.reply().startswith("220 ")
    assert "AUTH LOGIN PLAIN" in opened.ask("EHLO client.example")
    yield opened
    opened.close()


@pytest.fixture
def signed_in(wire: Wire) -> Wire:
    """The same, after a sign-in."""
    assert wire.ask(f"AUTH plain {PLAIN}").startswith("235 2.7.0")
    return wire


def attempts(home: Home) -> list[dict[str, Any]]:
    """Those of grafana in the stored log, the newest first."""
    done = home("log", "--application", "grafana", "--format", "json")
    found: list[dict[str, Any]] = json.loads(done.out)["entries"]
    return found


def strays(session: Session) -> int:
    return sum(item.recipient == TO for item in session.journal.strays)


@pytest.mark.parametrize(
    "line",
    [
        f"MAIL FROM:<{SENDER}>",
        "MAIL FROM:<>",
        f"MAIL FROM:<{SENDER}> AUTH=<>",
        f"RCPT TO:<{TO}>",
        "DATA",
        "VRFY root",
        "EXPN staff",
    ],
)
def test_nothing_is_relayed_without_a_sign_in(wire: Wire, line: str) -> None:
    assert wire.ask(line)[0] == "5"


@pytest.mark.parametrize(
    "recipient",
    ["a%b.example@", "@relay.example:a@b.example", "a@b.example@c.example", "postmaster", "a!b"],
)
def test_no_recipient_is_routed_by_its_sender(signed_in: Wire, recipient: str) -> None:
    assert signed_in.ask(f"MAIL FROM:<{SENDER}>").startswith("250")
    reply = signed_in.ask(f"RCPT TO:<{recipient}>")
    # A source route is dropped (RFC 5321 appendix C); the rest is not an address.
    assert reply.startswith("553") or recipient.startswith("@relay")


OTHERS: Final = (
    "a@b(x).example", "a(x)@b.example", "(x)a@b.example", "a@b.example(x)", "a b@c.example", "a@ b.example",
    "a@b c.example", "a@b\u2028c.example", "a@b\u00a0c.example", "a@b.example\x0bc", "a\udcff@b.example",
)  # fmt: skip
"""What a parser of header fields could take for the address of somebody else."""

WRITTEN: Final = {
    '<"a"@b.example>': "250", "a@b.example": "250", "<a@[192.0.2.1]>": "250", "<a@bücher.example>": "250",
    "<a@b.example> X=Y": "555", "<a@b.example> x": "555", "a@b.example,c@d.example": "553",
}  # fmt: skip


def test_no_address_is_read_as_another_one(signed_in: Wire) -> None:
    for recipient in OTHERS:
        path = f"<{recipient}>".encode("utf-8", "surrogateescape")
        signed_in.ask("RSET")
        signed_in.send(b"MAIL FROM:" + path + b"\r\n")
        assert signed_in.reply().startswith("553 5.1.3"), recipient
        assert signed_in.ask(f"MAIL FROM:<{SENDER}>").startswith("250")
        signed_in.send(b"RCPT TO:" + path + b"\r\n")
        assert signed_in.reply().startswith("553 5.1.3"), recipient
    for written, code in WRITTEN.items():
        assert signed_in.ask(f"RCPT TO:{written}").startswith(code), written


def test_an_endless_line_ends_the_connection_without_an_error(gateway: Running) -> None:
    for begin, length in (("", 30_000), ("AUTH PLAIN ", 20_000), ("AUTH PLAIN\r\n", 20_000)):
        wire = Wire(gateway.ports["none"])
        wire.reply()
        wire.ask("EHLO client.example")
        wire.send(f"{begin}{'A' * length}\r\n")
        if begin.endswith("\n"):
            assert wire.reply().startswith("334")
        assert wire.reply() == "500 5.5.6 The line is too long\r\n"
        wire.close()


def test_no_recipient_is_verified(signed_in: Wire) -> None:
    signed_in.send(b"VRFY (\xff\r\n")
    assert signed_in.reply().startswith("252 2.5.0")


@pytest.mark.parametrize(
    "claim", ["\0grafana\0wrong", "\0nobody\0wrong", "ceo\0grafana\0" + PASSWORD]
)
def test_a_wrong_password_or_another_identity_is_refused_alike(wire: Wire, claim: str) -> None:
    reply = wire.ask(f"AUTH PLAIN {base64.b64encode(claim.encode()).decode()}")
    assert reply == "535 5.7.8 The name or the password is wrong\r\n"
    assert wire.ask(f"MAIL FROM:<{SENDER}>").startswith("530")


def test_guessing_passwords_leads_to_a_lockout(
    gateway: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reconciler.gateway.throttle import Throttle

    del monkeypatch
    now = 0.0
    throttle = Throttle(lambda: now)
    delays = [throttle.failed("192.0.2.1", "grafana") for _ in range(BY_ADDRESS)]
    assert delays == sorted(delays)
    assert delays[0] < delays[-1] == 8.0
    assert throttle.is_locked("192.0.2.1", "other")
    assert not throttle.is_locked("192.0.2.2", "grafana")
    now = 901.0
    assert not throttle.is_locked("192.0.2.1", "other")
    with gateway.client(signed_in=False) as client:
        for password in ("a", "b"):
            with pytest.raises(smtplib.SMTPAuthenticationError):
                client.login("grafana", password)
        client.login("grafana", PASSWORD)


def test_a_name_that_may_be_a_password_is_not_logged(applied: Home, tmp_path: Path) -> None:
    with running(applied, tmp_path) as found:
        rejected = pytest.raises(smtplib.SMTPAuthenticationError)
        with found.client(signed_in=False) as client, rejected:
            client.login(PASSWORD, "x")
        found.wait_for("sign_in_rejected")
        assert PASSWORD not in str(found.events)


def test_no_password_is_taken_before_tls(gateway: Running) -> None:
    wire = Wire(gateway.ports["starttls"])
    wire.reply()
    offered = wire.ask("EHLO client.example")
    assert "STARTTLS" in offered
    assert "AUTH" not in offered
    assert wire.ask(f"AUTH PLAIN {PLAIN}").startswith(("530", "538"))
    assert wire.ask(f"MAIL FROM:<{SENDER}>").startswith("530")
    wire.close()


def test_commands_sent_before_the_handshake_do_not_count_within_tls(gateway: Running) -> None:
    wire = Wire(gateway.ports["starttls"])
    wire.reply()
    wire.ask("EHLO client.example")
    wire.send("STARTTLS\r\nEHLO injected.example\r\n")
    assert wire.reply().startswith("220")
    context = ssl.create_default_context()
    gateway.authority.configure_trust(context)
    try:
        with context.wrap_socket(wire.socket, server_hostname="localhost") as protected:
            protected.sendall(b"NOOP\r\n")
            assert protected.recv(100).startswith(b"250 ")  # and not the answer to EHLO
            protected.sendall(f"AUTH PLAIN {PLAIN}\r\n".encode())
            assert protected.recv(100).startswith(b"503 ")  # nobody has said EHLO
    except ssl.SSLError:
        pass  # the handshake was disturbed, and nothing was executed
    finally:
        wire.close()


@pytest.mark.parametrize(
    "end", [b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\n", b"\r\n.\r", b"\r\n\0.\r\n", b"\n\n.\r\n"]
)
def test_no_second_mail_is_smuggled_in(
    signed_in: Wire, shared: Home, example_session: Session, end: bytes
) -> None:
    before, logged = strays(example_session), attempts(shared)
    signed_in.ask(f"MAIL FROM:<{SENDER}>")
    signed_in.ask(f"RCPT TO:<{TO}>")
    assert signed_in.ask("DATA").startswith("354")
    second = f"MAIL FROM:<ceo@contoso.example>\r\nRCPT TO:<{TO}>\r\nDATA\r\n{HEAD}\r\nsecond"
    signed_in.send(f"{HEAD}\r\nfirst".encode() + end + second.encode() + b"\r\n.\r\n")
    assert signed_in.reply().startswith("550 5.6.0 The mail has a bare CR or LF")
    assert signed_in.ask("NOOP").startswith("250")
    assert strays(example_session) == before
    entry, *older = attempts(shared)
    assert older == logged
    assert "bare CR or LF" in entry["sentence"]


@pytest.mark.parametrize("line", [b"NOOP\n", b"NOOP\rMAIL FROM:<a@b.example>\r\n", b"NO\0OP\r\n"])
def test_a_command_ends_in_cr_and_lf(wire: Wire, line: bytes) -> None:
    wire.send(line)
    assert wire.reply().startswith("500 5.5.2")
    assert wire.reply() == ""


def test_commands_sent_before_an_answer_are_answered_in_order(signed_in: Wire) -> None:
    signed_in.send(f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{TO}>\r\nRCPT TO:<x>\r\nDATA\r\n")
    assert [signed_in.reply()[:3] for _ in range(4)] == ["250", "250", "553", "354"]


def test_a_mail_in_a_loop_is_refused(signed_in: Wire, shared: Home) -> None:
    logged = attempts(shared)
    signed_in.ask(f"MAIL FROM:<{SENDER}>")
    signed_in.ask(f"RCPT TO:<{TO}>")
    signed_in.ask("DATA")
    signed_in.send("Received: from a by b; now\r\n" * 50 + HEAD + "\r\nx\r\n.\r\n")
    assert signed_in.reply().startswith("554 5.4.6")
    entry, *older = attempts(shared)
    assert older == logged
    assert (entry["result"], entry["sender"]) == ("refused", SENDER)
    assert entry["sentence"] == "The mail has gone through too many servers"


def test_no_header_comes_in_by_helo(signed_in: Wire, example_session: Session) -> None:
    signed_in.ask("EHLO x) by evil.example (\tBcc: all@contoso.example")
    signed_in.ask(f"MAIL FROM:<{SENDER}>")
    signed_in.ask("RCPT TO:<helo@elsewhere.example>")
    signed_in.ask("DATA")
    signed_in.send(f"{HEAD}\r\nx\r\n.\r\n")
    assert signed_in.reply().startswith("250")
    (stray,) = [i for i in example_session.journal.strays if i.recipient.startswith("helo@")]
    assert b"Received: from unknown ([127.0.0.1])" in stray.content
    assert b"evil.example" not in stray.content


def test_a_bomb_of_recipients_is_cut_off(applied: Home, tmp_path: Path) -> None:
    with running(applied, tmp_path, "--recipients", "3") as found, found.client() as client:
        client.mail(SENDER)
        codes = [client.rcpt(f"r{number}@elsewhere.example")[0] for number in range(5)]
    assert codes == [250, 250, 250, 452, 452]


def test_a_mail_that_is_too_large_is_refused_before_and_after_it_came(
    applied: Home, tmp_path: Path
) -> None:
    with running(applied, tmp_path, "--size-limit", "5000") as found, found.client() as client:
        assert client.mail(SENDER, ["SIZE=6000"])[0] == 552
        client.mail(SENDER)
        client.rcpt(TO)
        assert client.data(f"{HEAD}\r\n" + "x\r\n" * 3000)[0] == 552
        assert client.noop()[0] == 250


def test_silent_connections_leave_room_for_others(applied: Home, tmp_path: Path) -> None:
    with running(applied, tmp_path, "--connections", "50") as found:
        silent = [Wire(found.ports["none"]) for _ in range(5)]
        assert all(item.reply().startswith("220") for item in silent)
        refused = Wire(found.ports["none"])  # more than a tenth from one address
        assert refused.reply() == "421 4.3.2 Too many connections\r\n"
        silent.pop().close()
        refused.close()
        assert found.page("/healthz")[0] == 200
        for item in silent:
            item.close()


def test_handshakes_that_are_never_finished_count_as_connections(
    applied: Home, tmp_path: Path
) -> None:
    with running(applied, tmp_path, "--connections", "50") as found:
        silent = [Wire(found.ports["implicit"]) for _ in range(5)]
        refused = Wire(found.ports["implicit"])
        assert refused.reply() == ""
        wait_for_connections(found, 5)
        silent.pop().close()
        wait_for_connections(found, 4)
        found.client("implicit").quit()
        assert found.end() == 0
        assert found.wait_for("ended")["cut_off"] == 0
        assert [item.reply() for item in silent] == [""] * 4
        for item in (refused, *silent):
            item.close()


def wait_for_connections(gateway: Running, count: int) -> None:
    """Wait until the gateway counts so many."""
    until = time.monotonic() + DEADLINE
    while f"\nreconciler_gateway_connections {count}\n" not in gateway.page("/metrics")[1]:
        assert time.monotonic() < until, gateway.page("/metrics")[1]
        time.sleep(0.01)


def test_mails_beyond_the_limit_are_deferred(applied: Home, tmp_path: Path) -> None:
    with running(applied, tmp_path, "--at-once", "2") as found:
        first, second = found.client(), found.client()
        for client in (first, second):
            client.mail(SENDER)
            client.rcpt(TO)
        assert first.docmd("DATA")[0] == 354
        assert second.docmd("DATA") == (
            451,
            b"4.3.2 Too many mails are in progress; try again later",
        )
        first.send(f"{HEAD}\r\nx\r\n.\r\n")
        assert first.getreply()[0] == 250
        full = 'connector="",application="grafana",result="temporary",class="4yz"} 1\n'
        assert full in found.page("/metrics")[1]
        first.noop()  # whose answer comes once the mail is in the log
        assert second.docmd("DATA")[0] == 354
        second.close()
        first.quit()


def test_a_client_that_reads_nothing_does_not_delay_others(gateway: Running) -> None:
    deaf = Wire(gateway.ports["none"])
    deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
    deaf.socket.settimeout(0.5)
    taken = 0
    with contextlib.suppress(TimeoutError):
        while taken < 10_000:
            deaf.send(b"EHLO x\r\n" * 1000)  # whose answers are long
            taken += 1
    assert taken < 10_000  # the gateway stops reading where nobody reads its answers
    with gateway.client() as client:
        assert client.noop()[0] == 250
    deaf.close()
