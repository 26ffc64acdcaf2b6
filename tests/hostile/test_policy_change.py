"""What is applied while a mail waits for its turn holds for that mail."""

from __future__ import annotations

import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from reconciler.cli.main import main
from tests.hostile.conftest import HOST
from tests.hostile.scripts import QUEUED, in_turn, smtp, takes

if TYPE_CHECKING:
    from reconciler.sending.outcome import Sent
    from tests.hostile.conftest import Office, Open
    from tests.hostile.server import Peer

NO_REPLY: Final = f"""\
kind: EmailConnector
name: no-reply
display_name: No reply
enable_mail_send_from: true
smtp: {{server: {HOST}, port: 465, use_ssl: true, email_address: no-reply@hostile.example,
  use_same_credentials: false, username: no-reply@hostile.example, password: env:PASSWORD}}
---
kind: GlobalSmtpPolicy
enabled: false
connector: no-reply
"""


def apply(office: Office) -> None:
    options = ("--auto-approve", "--skip-tests", "hostile", "--allow-policy-change")
    assert main(["apply", *options]) == 0
    office.mailer.dispatch.applied._looked = -math.inf  # a moment later


def wait_for_waiting(office: Office) -> None:
    until = time.monotonic() + 60
    while not any(item.waiting for item in office.mailer.dispatch.pool.counts()):
        assert time.monotonic() < until
        time.sleep(0.005)


def test_a_policy_that_is_applied_while_a_mail_waits_holds_for_it(opened: Open) -> None:
    asked, answered = threading.Event(), threading.Event()

    def held(peer: Peer, _: str) -> None:
        asked.set()
        answered.wait(60)
        peer.send("250 2.0.0 queued\r\n")

    office = opened(in_turn(smtp(DATA=takes(held)), smtp(DATA=QUEUED)), timeout=60)
    folder = Path(office.environ["RECONCILER_CONFIG"])
    support, no_reply = folder / "support.yaml", folder / "no-reply.yaml"
    support.write_text(f"{support.read_text()}max_connections: 1\n")
    no_reply.write_text(NO_REPLY)
    apply(office)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(office.send)
        assert asked.wait(60)
        second = threads.submit(office.send)
        wait_for_waiting(office)
        no_reply.write_text(NO_REPLY.replace("enabled: false", "enabled: true"))
        apply(office)
        answered.set()
        carried = [cast("Sent", sent.result(60)).route for sent in (first, second)]
    assert [route.connector for route in carried] == ["support", "no-reply"]
    assert [peer.lines.count("DATA") for peer in office.server.peers] == [1, 1]


def test_a_right_that_is_taken_while_a_mail_waits_is_gone_for_it(opened: Open) -> None:
    asked, answered = threading.Event(), threading.Event()

    def held(peer: Peer, _: str) -> None:
        asked.set()
        answered.wait(60)
        peer.send("250 2.0.0 queued\r\n")

    office = opened(smtp(DATA=takes(held)), timeout=60)
    folder = Path(office.environ["RECONCILER_CONFIG"])
    support = folder / "support.yaml"
    support.write_text(f"{support.read_text()}max_connections: 1\n")
    apply(office)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(office.send)
        assert asked.wait(60)
        second = threads.submit(office.send)
        wait_for_waiting(office)
        (folder / "rights.yaml").write_text(
            "kind: Permissions\nconnector: support\nusers: {users: [ada@hostile.example]}\n"
        )
        apply(office)
        answered.set()
        first.result(60)
        refused = second.exception(60)
    assert "not among the users of support" in str(refused)
    assert office.texts == 1
