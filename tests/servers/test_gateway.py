"""A queue in front of the gateway, and real servers behind it that want a token of OAuth 2.0."""

from __future__ import annotations

import json
import shutil
import smtplib
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.servers.accounts import ADA, SUPPORT
from tests.servers.authorisation import ENDPOINT, GOOD, SECRET
from tests.servers.loopback import LOOPBACK, free_port, greets, wait_until
from tests.servers.mailboxes import decoded, parsed
from tests.servers.postfix import _MASTER, _start, postfix_program
from tests.servers.site import IMAP, SMTP

if TYPE_CHECKING:
    from collections.abc import Iterator

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
QUEUE: Final = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/postfix.log
maillog_file_prefixes = {folder}
inet_interfaces = {loopback}
inet_protocols = ipv4
myhostname = queue.contoso.example
mydestination =
mynetworks = 127.0.0.0/8
notify_classes =
local_recipient_maps =
alias_maps =
minimal_backoff_time = 3s
maximal_backoff_time = 3s
queue_run_delay = 1s
smtp_tls_security_level = none
relayhost = [{loopback}]:{port}
smtp_sasl_auth_enable = yes
smtp_sasl_security_options = noanonymous
smtp_sasl_password_maps = inline:{{ [{loopback}]:{port}=grafana:{password} }}
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
    program = postfix_program()
    if program is None:
        pytest.skip("Postfix is not installed: apt-get install postfix")
    if not list(Path("/usr/lib").glob("*/sasl2/libplain.so")):
        pytest.skip("Postfix cannot sign in as a client: apt-get install libsasl2-modules")
    folder = server_folder / "queueing"
    for name in ("etc", "queue", "data"):
        (folder / name).mkdir(parents=True)
    shutil.chown(folder / "data", "postfix")
    port, gateway = free_port(), free_port()
    main = QUEUE.format(folder=folder, loopback=LOOPBACK, port=gateway, password=PASSWORD)
    (folder / "etc" / "main.cf").write_text(main)
    (folder / "etc" / "master.cf").write_text(
        f"{_MASTER}smtp unix - - n - - smtp\nrelay unix - - n - - smtp\n"
        f"{LOOPBACK}:{port} inet n - n - - smtpd\n"
    )
    process = _start(program, folder / "etc")
    try:
        wait_until(lambda: greets(port, b"220 "), "the queue greets", seconds=60)
        yield port, gateway, folder / "postfix.log"
    finally:
        process.end()
        shutil.rmtree(folder)


def test_a_queue_keeps_the_mail_until_the_gateway_is_there_and_a_token_carries_it(
    workplace: Workplace,
    authorisation: AuthorisationServer,
    mailboxes: Mailboxes,
    queue: tuple[int, int, Path],
) -> None:
    port, gateway, log = queue
    workplace.environ |= {"CLIENT_SECRET": SECRET, "GRAFANA_PASSWORD": PASSWORD}
    workplace.environ["RECONCILER_CONNECT_TO"] += f" {authorisation.connect_to}"
    workplace.write(CONNECTOR, APPLICATION)
    done = workplace("apply", "--auto-approve", "--skip-tests", "sent for real")
    assert done.status == 0, done.said
    message_id = "<queued@contoso.example>"
    with smtplib.SMTP(LOOPBACK, port, timeout=60) as client:
        client.sendmail(
            SUPPORT.username,
            [ADA.username],
            f"From: {SUPPORT.username}\r\nTo: {ADA.username}\r\nSubject: Disk full\r\n"
            f"Message-ID: {message_id}\r\n\r\nOn db1.\r\n",
        )
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
