"""Clients that nobody here wrote, each configured as the documentation has it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.functional.gateway.conftest import DEADLINE, PASSWORD, SENDER

if TYPE_CHECKING:
    from email.message import EmailMessage

    from reconciler.sandbox.session import Session
    from tests.functional.gateway.conftest import Running

TEXT: Final = "A line.\n.\n..two dots\nEnd."
ROOT: Final = Path(__file__).parents[3]
MANUAL: Final = (ROOT / "docs" / "gateway.md").read_text(encoding="utf-8")
NODE: Final = """
const transport = require("nodemailer").{settings}
transport.sendMail({{ from: process.env.SENDER, to: process.env.TO, subject: "Disk full", text: process.env.TEXT }})
  .then(() => transport.close());
"""
DJANGO: Final = """
import os
{settings}
from django.conf import settings
settings.configure(**{{name: value for name, value in vars().items() if name.startswith(("EMAIL_", "MAILERS"))}})
from django.core.mail import send_mail
assert send_mail("Disk full", os.environ["TEXT"], os.environ["SENDER"], [os.environ["TO"]]) == 1
"""


def documented(client: str, language: str, port: int) -> str:
    """The configuration of a client in the manual, for a gateway on this machine."""
    text: str
    (text,) = re.findall(rf"\*\*{client}\*\*[^`]*```{language}\n(.*?)```", MANUAL, re.DOTALL)
    here = text.replace("gateway.contoso.example", "localhost").replace("587", str(port))
    assert here.count("localhost") == here.count(str(port)) == 1
    return here


def needs(program: str) -> str:
    """The path of a program; skips without it, unless the servers' programs are required."""
    found = shutil.which(program)
    if found is None:
        if os.environ.get("RECONCILER_REQUIRE_SERVERS") == "1":
            pytest.fail(f"{program} is not installed")
        pytest.skip(f"{program} is not installed")
    return found


def arrived(session: Session, to: str) -> EmailMessage:
    (stray,) = [item for item in session.journal.strays if item.recipient == to]
    return message_from_bytes(stray.content, policy=default)


def check(session: Session, to: str) -> None:
    """The mail arrived complete, from the requested sender."""
    received = arrived(session, to)
    assert received["Subject"] == "Disk full"
    assert received["From"].addresses[0].addr_spec == SENDER
    assert received.get_content().rstrip().splitlines() == TEXT.splitlines()


def run(arguments: list[str], text: str = "", **environ: str) -> None:
    done = subprocess.run(
        arguments, input=text, capture_output=True, text=True, timeout=DEADLINE, check=False,
        env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **environ},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def authority(gateway: Running, tmp_path: Path) -> Path:
    """The certificate that clients are to trust."""
    path = tmp_path / "ca.pem"
    gateway.authority.cert_pem.write_to_path(str(path))
    return path


def mail_to(to: str) -> str:
    return f"From: {SENDER}\nTo: {to}\nSubject: Disk full\n\n{TEXT}\n"


@pytest.mark.parametrize("how", ["starttls", "implicit"])
def test_swaks(gateway: Running, example_session: Session, how: str) -> None:
    to = f"swaks-{how}@elsewhere.example"
    run(
        [
            needs("swaks"), "--server", f"localhost:{gateway.ports[how]}",
            "--tls" if how == "starttls" else "--tls-on-connect",
            "--auth", "PLAIN", "--auth-user", "grafana", "--auth-password", PASSWORD,
            "--from", SENDER, "--to", to, "--header", "Subject: Disk full", "--body", TEXT,
        ]
    )  # fmt: skip
    check(example_session, to)


@pytest.fixture
def msmtp(gateway: Running, authority: Path, tmp_path: Path) -> tuple[str, str, str]:
    """The call of msmtp with its configuration."""
    program = needs("msmtp")
    secret = tmp_path / "password"
    secret.write_text(PASSWORD)
    settings = tmp_path / "msmtprc"
    settings.write_text(
        f"account default\nhost localhost\nport {gateway.ports['starttls']}\ntls on\n"
        f"tls_trust_file {authority}\nauth plain\nuser grafana\n"
        f"passwordeval cat {secret}\nfrom {SENDER}\n"
    )
    settings.chmod(0o600)
    return program, "-C", str(settings)


def test_msmtp(msmtp: tuple[str, str, str], example_session: Session) -> None:
    to = "msmtp@elsewhere.example"
    run([*msmtp, "-t"], mail_to(to))
    check(example_session, to)


def test_the_mail_function_of_php(msmtp: tuple[str, str, str], example_session: Session) -> None:
    to = "php@elsewhere.example"
    script = "exit(mail(getenv('TO'), 'Disk full', getenv('TEXT'), 'From: ' . getenv('SENDER')) ? 0 : 1);"
    run(
        [needs("php"), "-d", f"sendmail_path={' '.join(msmtp)} -t", "-r", script],
        TO=to, TEXT=TEXT, SENDER=SENDER,
    )  # fmt: skip
    check(example_session, to)


def test_curl(gateway: Running, authority: Path, example_session: Session, tmp_path: Path) -> None:
    to = "curl@elsewhere.example"
    (tmp_path / "mail.txt").write_text(mail_to(to))
    run(
        [
            needs("curl"), "--silent", "--show-error", "--ssl-reqd", "--cacert", str(authority),
            f"smtp://localhost:{gateway.ports['starttls']}", "--user", f"grafana:{PASSWORD}", "--crlf",
            "--mail-from", SENDER, "--mail-rcpt", to, "--upload-file", str(tmp_path / "mail.txt"),
        ]
    )  # fmt: skip
    check(example_session, to)


def test_django(gateway: Running, authority: Path, example_session: Session) -> None:
    pytest.importorskip("django")
    to = "django@elsewhere.example"
    settings = documented("Django", "python", gateway.ports["starttls"])
    run(
        [sys.executable, "-c", DJANGO.format(settings=settings)],
        SSL_CERT_FILE=str(authority), GRAFANA_SMTP_PASSWORD=PASSWORD, SENDER=SENDER, TO=to, TEXT=TEXT,
    )  # fmt: skip
    check(example_session, to)


def test_nodemailer(gateway: Running, authority: Path, example_session: Session) -> None:
    program = needs("node")
    modules = os.environ.get("NODE_PATH", str(ROOT / "packaging" / "clients" / "node_modules"))
    present = subprocess.run(
        [program, "-e", "require('nodemailer')"], capture_output=True, timeout=DEADLINE,
        check=False, env={"PATH": os.environ["PATH"], "NODE_PATH": modules},
    )  # fmt: skip
    if present.returncode:
        pytest.skip("Nodemailer is not installed: npm ci --prefix packaging/clients")
    to = "node@elsewhere.example"
    settings = documented("Nodemailer", "js", gateway.ports["starttls"])
    run(
        [program, "-e", NODE.format(settings=settings.removeprefix("nodemailer."))],
        NODE_PATH=modules, NODE_EXTRA_CA_CERTS=str(authority), GRAFANA_SMTP_PASSWORD=PASSWORD,
        SENDER=SENDER, TO=to, TEXT=TEXT,
    )  # fmt: skip
    check(example_session, to)
