"""Eight threads that send through eight connectors, beside eight threads with a session of smtplib each."""

from __future__ import annotations

import smtplib
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
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

THREADS: Final = 8
MAILS: Final = 25
"""For each of them."""
SECONDS: Final = 0.05
"""What the server takes for a mail."""

HOST: Final = "smtp.bench.example"
PASSWORD: Final = "correct horse battery"
TEXT: Final = "Dear customer,\n\nyour order has been shipped and is on its way to you.\n" * 10
CONNECTOR: Final = """\
kind: EmailConnector
name: box-{0}
display_name: Box {0}
enable_mail_send_from: true
smtp: {{server: smtp.bench.example, port: 465, use_ssl: true, email_address: box-{0}@contoso.example,
  use_same_credentials: false, username: box-{0}@contoso.example, password: env:BOX_PASSWORD}}
---
"""


@pytest.fixture
def port(certificates: tuple[Path, Path]) -> Iterator[int]:
    with Server("submission", 1, certificates[0], SECONDS) as server:
        yield server.ports[0]


@pytest.fixture
def environ(
    tmp_path: Path, port: int, certificates: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    folder = tmp_path / "connectors.d"
    folder.mkdir()
    (folder / "boxes.yaml").write_text("".join(map(CONNECTOR.format, range(THREADS))))
    environ = {
        "RECONCILER_CONFIG": str(folder),
        "RECONCILER_ACTOR": "lead@contoso.example",
        "RECONCILER_ALLOW_CREDENTIAL": "*",
        "RECONCILER_CONNECT_TO": f"{HOST}:465={LOOPBACK}:{port}",
        "RECONCILER_CA_FILE": str(certificates[1]),
        "BOX_PASSWORD": PASSWORD,
    }
    for name, text in environ.items():
        monkeypatch.setenv(name, text)
    assert main(["apply", "--auto-approve", "--skip-tests", "measured"]) == 0
    return environ


def with_mailer(environ: dict[str, str]) -> float:
    """Seconds for all mails through one mailer that the threads share."""
    with Mailer.open(environ=environ) as mailer, ThreadPoolExecutor(THREADS) as threads:

        def send(number: int) -> None:
            for mail in range(MAILS):
                message = Message(to=("ada@x.example",), subject=f"Order {mail}", text=TEXT)
                mailer.send(message, connector=f"box-{number}")

        started = time.perf_counter()
        list(threads.map(send, range(THREADS)))
        return time.perf_counter() - started


def with_smtplib(port: int, context: ssl.SSLContext) -> float:
    """Seconds for all mails, each thread with a session of its own."""

    def send(number: int) -> None:
        address = f"box-{number}@contoso.example"
        with smtplib.SMTP_SSL(LOOPBACK, port, context=context) as session:
            session.login(address, PASSWORD)
            for mail in range(MAILS):
                message = EmailMessage()
                message["From"] = address
                message["To"] = "ada@x.example"
                message["Subject"] = f"Order {mail}"
                message["Date"] = formatdate()
                message["Message-ID"] = make_msgid(domain="contoso.example")
                message.set_content(TEXT)
                session.send_message(message)

    with ThreadPoolExecutor(THREADS) as threads:
        started = time.perf_counter()
        list(threads.map(send, range(THREADS)))
        return time.perf_counter() - started


def test_threads_send_as_many_mails_as_with_a_session_each(
    environ: dict[str, str], port: int, certificates: tuple[Path, Path], tell: Tell
) -> None:
    context = ssl.create_default_context(cafile=str(certificates[1]))
    context.check_hostname = False  # the bare loop asks for 127.0.0.1
    ratio = compared(lambda: with_mailer(environ), lambda: with_smtplib(port, context))
    tell(
        f"{THREADS} threads, {THREADS} connectors, {SECONDS * 1000:.0f} ms a mail, against smtplib: {ratio}"
    )
    assert ratio.median <= 1.25
