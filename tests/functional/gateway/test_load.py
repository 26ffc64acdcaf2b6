"""Load: silent connections, pending mails at the end, a changing certificate, clients that half-close."""

from __future__ import annotations

import re
import resource
import smtplib
import socket
import ssl
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
import trustme

from tests.functional.gateway.conftest import DEADLINE, SENDER, running
from tests.functional.gateway.test_abuse import (
    HEAD,
    PLAIN,
    TO,
    Wire,
    strays,
    wait_for_connections,
)
from tests.functional.gateway.test_sending import logged_for_grafana

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.sandbox.session import Session
    from tests.functional.conftest import Home
    from tests.functional.gateway.conftest import Running

SILENT: Final = 10_000
MOST_EACH: Final = 60_000
"""Octets of memory for each of them: half are in a handshake of TLS."""


@pytest.fixture
def descriptors() -> Iterator[None]:
    """As many as 10,000 connections need, here and in the gateway, which gets its limits from here."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = SILENT + 1000
    if hard != resource.RLIM_INFINITY and hard < needed:
        pytest.skip(f"a process may open {hard} files here, and this test needs {needed}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def memory(pid: int) -> int:
    """Octets that a process has in memory."""
    found = re.search(r"VmRSS:\s+([0-9]+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) * 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
@pytest.mark.usefixtures("descriptors")
@pytest.mark.timeout(600)
def test_ten_thousand_silent_connections_delay_no_mail(applied: Home, tmp_path: Path) -> None:
    with running(applied, tmp_path, "--connections", str(SILENT + 1000)) as found:
        before, silent = memory(found.process.pid), []
        for number in range(SILENT):
            port = found.ports["implicit" if number % 2 else "none"]
            source = (f"127.0.1.{number % 20 + 1}", 0)
            silent.append(
                socket.create_connection(("127.0.0.1", port), DEADLINE, source_address=source)
            )
        with found.client() as client:
            client.sendmail(SENDER, ["thousands@elsewhere.example"], f"{HEAD}\r\nx\r\n")
        assert memory(found.process.pid) - before < SILENT * MOST_EACH
        for item in silent:
            item.close()
        wait_for_connections(found, 0)


def test_sigterm_lets_fifty_pending_mails_be_answered(applied: Home, tmp_path: Path) -> None:
    with running(applied, tmp_path, "--at-once", "100") as found:
        clients = [found.client() for _ in range(50)]
        for client in clients:
            client.mail(SENDER)
            client.rcpt(TO)
            assert client.docmd("DATA")[0] == 354
        found.process.terminate()
        assert found.wait_for("ending")["under_way"] == 50
        for client in clients:
            client.send(f"{HEAD}\r\nx\r\n.\r\n")
        for client in clients:
            assert client.getreply()[0] == 250
            assert client.getreply() == (421, b"4.3.2 The gateway is ending")
            client.close()
        assert found.process.wait(DEADLINE) == 0
        assert found.wait_for("ended")["cut_off"] == 0


def test_a_certificate_that_is_replaced_under_load_costs_no_connection(
    gateway: Running, tmp_path: Path
) -> None:
    other = trustme.CA()
    context = ssl.create_default_context()
    for authority in (gateway.authority, other):
        authority.configure_trust(context)
    problems: list[Exception] = []
    made, over, changed = [0], threading.Event(), threading.Condition()

    def connect() -> None:
        while not over.is_set():
            try:
                port = gateway.ports["implicit"]
                smtplib.SMTP_SSL("localhost", port, timeout=DEADLINE, context=context).quit()
            except (OSError, smtplib.SMTPException) as error:
                problems.append(error)
            with changed:
                made[0] += 1
                changed.notify()

    def wait_for_more() -> None:
        with changed:
            enough = made[0] + 20
            assert changed.wait_for(lambda: made[0] >= enough, DEADLINE)

    threads = [threading.Thread(target=connect) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        wait_for_more()
        pair = other.issue_cert("localhost", "127.0.0.1")
        pair.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "tls.pem"))
        gateway.wait_for("certificate_reloaded")
        wait_for_more()
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert problems == []
    gateway.authority = other
    gateway.client("implicit").quit()


def test_a_client_that_closes_its_half_gets_its_answer(gateway: Running) -> None:
    mail = f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{TO}>\r\nDATA\r\n"
    early, late = Wire(gateway.ports["none"]), Wire(gateway.ports["none"])
    for wire in (early, late):
        assert wire.reply().startswith("220 ")
    early.socket.shutdown(socket.SHUT_WR)
    assert early.reply() == ""
    late.ask("EHLO client.example")
    assert late.ask(f"AUTH PLAIN {PLAIN}").startswith("235")
    late.send(mail)
    assert [late.reply()[:3] for _ in range(3)] == ["250", "250", "354"]
    late.send(f"{HEAD}\r\nx\r\n.\r\n")
    late.socket.shutdown(socket.SHUT_WR)
    assert late.reply().startswith("250 2.6.0 ")
    assert late.reply() == ""
    wait_for_connections(gateway, 0)
    for wire in (early, late):
        wire.close()


def test_a_mail_whose_client_leaves_before_its_answer_is_uncertain(
    gateway: Running, applied: Home, example_session: Session
) -> None:
    before = strays(example_session)
    wire = Wire(gateway.ports["none"])
    wire.reply()
    wire.ask("EHLO client.example")
    wire.ask(f"AUTH PLAIN {PLAIN}")
    wire.send(f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{TO}>\r\nDATA\r\n")
    assert [wire.reply()[:3] for _ in range(3)] == ["250", "250", "354"]
    wire.send(f"{HEAD}\r\nx\r\n.\r\n")
    wire.close()
    event = gateway.wait_for("mail")
    assert (event["result"], event["reply"]) == ("uncertain", "250 2.6.0")
    assert event["problem"].startswith("The client was not told: Sent through no-reply")
    assert strays(example_session) == before + 1
    entry = logged_for_grafana(applied)
    assert (entry["result"], entry["code"], entry["accepted"]) == ("uncertain", 250, 1)
    assert "accepted it, but grafana left before it was told" in entry["sentence"]


def test_half_of_a_mail_is_not_sent(gateway: Running) -> None:
    wire = Wire(gateway.ports["none"])
    wire.reply()
    wire.ask("EHLO client.example")
    wire.ask(f"AUTH PLAIN {PLAIN}")
    wire.send(f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{TO}>\r\nDATA\r\n{HEAD}\r\nhalf")
    wire.socket.shutdown(socket.SHUT_WR)
    assert [wire.reply()[:3] for _ in range(4)] == ["250", "250", "354", ""]
    wait_for_connections(gateway, 0)
    with gateway.client() as client:  # the room that it took is free again
        client.sendmail(SENDER, [TO], f"{HEAD}\r\nx\r\n")
    assert gateway.page("/metrics")[1].count("reconciler_gateway_mails_total{") == 1
    wire.close()
