"""What it costs to send through what was applied, beside a bare loop of smtplib over the same kind of session.

Both compose the same mails and hand them to the same server, in turn, in one run.
"""

from __future__ import annotations

import smtplib
import ssl
import time
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import TYPE_CHECKING, Final

import pytest

from reconciler import Mailer, Message
from reconciler.cli.main import main
from tests.benchmarks.measure import Server, compared
from tests.servers.loopback import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.benchmarks.conftest import Tell

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(600)]

HOST: Final = "smtp.bench.example"
ADDRESS: Final = "support@contoso.example"
PASSWORD: Final = "correct horse battery"
MAILS: Final = 1000
TEXT: Final = "Dear customer,\n\nyour order has been shipped and is on its way to you.\n" * 10

CONNECTOR: Final = f"""\
kind: EmailConnector
name: support
display_name: Support
enable_mail_send_from: true
smtp:
  server: {HOST}
  port: 465
  use_ssl: true
  email_address: {ADDRESS}
  use_same_credentials: false
  username: {ADDRESS}
  password: env:SUPPORT_PASSWORD
"""


@pytest.fixture
def port(certificates: tuple[Path, Path]) -> Iterator[int]:
    with Server("submission", 1, certificates[0]) as server:
        yield server.ports[0]


@pytest.fixture
def environ(
    tmp_path: Path, port: int, certificates: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """What is in force: an applied connector, and the way to the server."""
    folder = tmp_path / "connectors.d"
    folder.mkdir()
    (folder / "support.yaml").write_text(CONNECTOR)
    environ = {
        "RECONCILER_CONFIG": str(folder),
        "RECONCILER_ACTOR": "lead@contoso.example",
        "RECONCILER_ALLOW_CREDENTIAL": "*",
        "RECONCILER_CONNECT_TO": f"{HOST}:465={LOOPBACK}:{port}",
        "RECONCILER_CA_FILE": str(certificates[1]),
        "SUPPORT_PASSWORD": PASSWORD,
    }
    for name, text in environ.items():
        monkeypatch.setenv(name, text)
    assert main(["apply", "--auto-approve", "--skip-tests", "measured"]) == 0
    return environ


def with_mailer(environ: dict[str, str]) -> float:
    """Seconds for all mails through the API."""
    started = time.perf_counter()
    with Mailer.open(environ=environ) as mailer:
        for number in range(MAILS):
            message = Message(
                to=(f"customer-{number}@x.example",), subject=f"Order {number}", text=TEXT
            )
            mailer.send(message, connector="support")
    return time.perf_counter() - started


def with_smtplib(port: int, context: ssl.SSLContext) -> float:
    """Seconds for all mails in a loop as in Python's manual."""
    started = time.perf_counter()
    with smtplib.SMTP_SSL(LOOPBACK, port, context=context) as session:
        session.login(ADDRESS, PASSWORD)
        for number in range(MAILS):
            message = EmailMessage()
            message["From"] = f"Support <{ADDRESS}>"
            message["To"] = f"customer-{number}@x.example"
            message["Subject"] = f"Order {number}"
            message["Date"] = formatdate()
            message["Message-ID"] = make_msgid(domain="contoso.example")
            message.set_content(TEXT)
            session.send_message(message)
    return time.perf_counter() - started


def test_a_thousand_mails_take_hardly_longer_than_in_a_bare_loop(
    environ: dict[str, str], port: int, certificates: tuple[Path, Path], tell: Tell
) -> None:
    context = ssl.create_default_context(cafile=str(certificates[1]))
    context.check_hostname = False  # the bare loop asks for 127.0.0.1
    ratio = compared(lambda: with_mailer(environ), lambda: with_smtplib(port, context))
    tell(f"{MAILS} mails over one session, against a bare loop of smtplib: {ratio}")
    assert ratio.median <= 1.2
