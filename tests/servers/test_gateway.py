"""A queue in front of the gateway, and real servers behind it that require an OAuth 2.0 token."""

from __future__ import annotations

import json
import smtplib
import subprocess
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING, Final

import pytest

from tests.servers.accounts import ADA, SUPPORT
from tests.servers.authorisation import ENDPOINT, GOOD, SECRET
from tests.servers.loopback import LOOPBACK, free_port, greets, wait_until
from tests.servers.mailboxes import decoded, parsed
from tests.servers.postfix import BUSY, GONE
from tests.servers.queueing import queueing
from tests.servers.site import IMAP, SMTP

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers.authorisation import AuthorisationServer
    from tests.servers.mailboxes import Mailboxes
    from tests.servers.workplace import Workplace

pytestmark = pytest.mark.server

PASSWORD: Final = "Qm7-tall-9zW-fern-03"
TOKEN: Final = f"""\
    oauth2:
      grant: client_credentials
      client_id: {GOOD.client_id}
      client_secret: env:CLIENT_SECRET
      token_endpoint: {ENDPOINT}
      scopes: [mail]
"""
CONNECTOR: Final = f"""\
kind: EmailConnector
name: support
imap:
    server: {IMAP}
    port: 993
    use_ssl: true
    username: {SUPPORT.username}
{TOKEN}enable_mail_send_from: true
smtp:
    server: {SMTP}
    port: 465
    use_ssl: true
    email_address: {SUPPORT.username}
    use_same_credentials: true
"""
APPLICATION: Final = """\
kind: Application
name: grafana
user: grafana@contoso.example
password: env:GRAFANA_PASSWORD
"""


def gateway_on(workplace: Workplace, port: int) -> tuple[subprocess.Popen[str], list[str]]:
    """Run a gateway, and collect what it says."""
    process = subprocess.Popen(
        [
            sys.executable, "-m", "reconciler", "gateway", "--plain", f"{LOOPBACK}:{port}",
            "--status", "none",
        ],
        cwd=workplace.folder, env=workplace.environ, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    said: list[str] = []
    assert process.stderr is not None
    lines = process.stderr
    threading.Thread(target=lambda: said.extend(lines), daemon=True).start()
    wait_until(lambda: greets(port, b"220 "), "the gateway greets", seconds=60)
    return process, said


def end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    process.wait(60)
    assert process.stderr is not None
    process.stderr.close()


@pytest.fixture
def queue(server_folder: Path) -> Iterator[tuple[int, int, Path]]:
    """A Postfix that takes mail from this machine for the gateway: its port, the gateway's, and its log."""
    gateway = free_port()
    with queueing(server_folder / "queueing", [gateway], "grafana", PASSWORD) as postfix:
        yield postfix.port, gateway, postfix.log


def apply(workplace: Workplace, authorisation: AuthorisationServer) -> None:
    """Apply a connector that needs a token, and an application."""
    workplace.environ |= {"CLIENT_SECRET": SECRET, "GRAFANA_PASSWORD": PASSWORD}
    workplace.environ["RECONCILER_CONNECT_TO"] += f" {authorisation.connect_to}"
    workplace.write(CONNECTOR, APPLICATION)
    done = workplace("apply", "--auto-approve", "--skip-tests", "sent for real")
    assert done.status == 0, done.said


def hand_over(port: int, recipients: list[str], message_id: str, subject: str) -> None:
    """Give the queue a mail of support to Ada, for some recipients."""
    with smtplib.SMTP(LOOPBACK, port, timeout=60) as client:
        client.sendmail(
            SUPPORT.username,
            recipients,
            f"From: {SUPPORT.username}\r\nTo: {ADA.username}\r\nSubject: {subject}\r\n"
            f"Message-ID: {message_id}\r\n\r\nOn db1.\r\n",
        )


def test_a_queue_keeps_the_mail_until_the_gateway_is_there_and_a_token_carries_it(
    workplace: Workplace,
    authorisation: AuthorisationServer,
    mailboxes: Mailboxes,
    queue: tuple[int, int, Path],
) -> None:
    port, gateway, log = queue
    apply(workplace, authorisation)
    message_id = "<queued@contoso.example>"
    hand_over(port, [ADA.username], message_id, "Disk full")
    wait_until(lambda: "status=deferred" in log.read_text(), "the queue keeps it", seconds=60)
    process, said = gateway_on(workplace, gateway)
    try:
        wait_until(lambda: "status=sent" in log.read_text(), "the queue is rid of it", seconds=60)
    except TimeoutError as error:
        raise AssertionError(f"{error}\n{log.read_text()}\n{''.join(said)}") from None
    finally:
        end(process)
    received = mailboxes.one(ADA, "INBOX", message_id)
    assert decoded(received, "Subject") == "Disk full"
    assert len(parsed(received).get_all("Received", [])) >= 3
    assert "status=sent (250 2.6.0 Sent through support" in log.read_text()
    mails = [json.loads(line) for line in said if '"event": "mail"' in line]
    assert [(item["application"], item["result"]) for item in mails] == [("grafana", "sent")]
    assert any(
        request.get("grant_type") == "client_credentials" for request in authorisation.requests
    )


def test_each_recipient_gets_what_the_provider_has_for_them(
    workplace: Workplace,
    authorisation: AuthorisationServer,
    mailboxes: Mailboxes,
    queue: tuple[int, int, Path],
) -> None:
    port, gateway, log = queue
    apply(workplace, authorisation)
    process, said = gateway_on(workplace, gateway)
    message_id = "<partly@contoso.example>"

    def has(recipient: str, status: str) -> bool:
        lines = log.read_text().splitlines()
        return any(f"to=<{recipient}>" in line and status in line for line in lines)

    try:
        hand_over(port, [GONE, ADA.username, BUSY], message_id, "x")
        expected = {
            ADA.username: "status=sent (250 2.6.0",
            GONE: "status=bounced (host 127.0.0.1[127.0.0.1] said: 550 5.1.1",
            BUSY: "status=deferred (host 127.0.0.1[127.0.0.1] said: 450 4.2.1",
        }
        for recipient, status in expected.items():
            wait_until(partial(has, recipient, status), recipient, seconds=90)
    except TimeoutError as error:
        raise AssertionError(f"{error}\n{log.read_text()}\n{''.join(said)}") from None
    finally:
        end(process)
    mailboxes.one(ADA, "INBOX", message_id)
    told = [json.loads(line) for line in said if '"event": "mail"' in line]
    assert [item["result"] for item in told[:2]] == ["temporary", "sent"]
