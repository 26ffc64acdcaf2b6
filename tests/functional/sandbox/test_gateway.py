"""Programs send in the sandbox as they would outside, through a gateway, but with made-up passwords and to nobody."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Final

import pytest

from tests import interpreter
from tests.shell_programs import folder_of_programs

ROOT: Final = Path(__file__).parents[3]
DEADLINE: Final = 100
MAIL: Final = "From: no-reply@contoso.example\r\nTo: info@contoso.example\r\nSubject: Disk full\r\n\r\nOn db1.\r\n"

SEND: Final = f"""\
import os, smtplib
host, port = os.environ["RECONCILER_SANDBOX_GATEWAY"].split(":")
with smtplib.SMTP(host, int(port)) as client:
    try:
        client.login("grafana", os.environ["GRAFANA_SMTP_PASSWORD"])
        client.sendmail("no-reply@contoso.example", ["info@contoso.example"], {MAIL!r})
        print("sent")
    except smtplib.SMTPResponseException as error:
        print(error.smtp_code)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The shipped example, with a program that sends."""
    shutil.copytree(ROOT / "connectors.d", tmp_path / "connectors.d")
    (tmp_path / "send.py").write_text(SEND)
    (tmp_path / "mail.eml").write_text(MAIL.replace("\r", ""))
    return tmp_path


def search_path() -> str:
    """Where a shell finds this project's programs, then all others."""
    return f"{folder_of_programs()}:{os.environ['PATH']}"


def sandboxed(folder: Path, script: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a script of the shell in the sandbox."""
    command = [sys.executable, "-m", "reconciler", "sandbox", *options, "--", "sh", "-c", script]
    kept = {"HOME": str(folder), "LANG": interpreter.LOCALE, "PATH": search_path()}
    return interpreter.run(
        command, cwd=folder, env=kept, capture_output=True, text=True, timeout=DEADLINE
    )


APPLY: Final = "reconciler apply --auto-approve --skip-tests tried >/dev/null"


def test_a_program_sends_what_the_applied_configuration_allows(project: Path) -> None:
    script = f"""
        python send.py && {APPLY} && sleep 1.1 && python send.py &&
        reconciler log --application grafana --format json
    """
    done = sandboxed(project, script)
    assert done.returncode == 0, done.stderr
    before, after, *logged = done.stdout.splitlines()
    assert (before, after) == ("454", "sent")  # nothing is applied at first
    assert '"result": "sent"' in "".join(logged)
    assert re.search(r"^Gateway: smtp://127\.0\.0\.1:[0-9]+, ", done.stderr, re.MULTILINE)
    assert "\n  user grafana, password env:GRAFANA_SMTP_PASSWORD\n" in done.stderr
    log = project / ".reconciler" / "sandbox" / "gateway.log"
    assert '"event": "ended"' in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_browser_shows_what_a_program_sent(project: Path) -> None:
    program = """
        curl -sS --crlf "smtp://$RECONCILER_SANDBOX_GATEWAY" --user "grafana:$GRAFANA_SMTP_PASSWORD" \
          --mail-from no-reply@contoso.example --mail-rcpt info@contoso.example --upload-file mail.eml
    """
    command = [sys.executable, "-m", "reconciler", "sandbox", "--web"]
    with interpreter.Popen(
        command, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            address = next(
                line.split()[-1] for line in process.stderr if line.startswith("Mail in a browser")
            )
            environ = dict(os.environ)
            for line in process.stdout:
                name, _, value = line.removeprefix("export ").strip().partition("=")
                environ[name] = value.strip("'")
                if name == "RECONCILER_SANDBOX_GATEWAY":  # the last one
                    break
            script = f"PATH={search_path()}; {APPLY} && {program}"
            done = subprocess.run(
                ["sh", "-c", script],
                cwd=project, env=environ, capture_output=True, text=True, timeout=DEADLINE, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            with urllib.request.urlopen(address, timeout=DEADLINE) as answer:
                overview = answer.read().decode()
            inboxes = re.findall(r'href="(/[^"]*info[^"]*/INBOX/)"', overview)
            listed = ""
            for path in inboxes:
                url = f"http://{address.split('/')[2]}{path}"
                with urllib.request.urlopen(url, timeout=DEADLINE) as answer:
                    listed += answer.read().decode()
            assert "Disk full" in listed
        finally:
            process.terminate()
            process.communicate(timeout=DEADLINE)
    assert process.returncode == 0


def test_a_project_without_applications_has_no_gateway(project: Path) -> None:
    (project / "connectors.d" / "applications.yaml").unlink()
    done = sandboxed(project, 'echo "[$RECONCILER_SANDBOX_GATEWAY]"')
    assert done.stdout == "[]\n"
    assert "Gateway" not in done.stderr
    assert not (project / ".reconciler" / "sandbox" / "gateway.log").exists()


def test_a_port_that_is_taken_is_named(project: Path) -> None:
    script = "reconciler sandbox --gateway-port ${RECONCILER_SANDBOX_GATEWAY##*:} -- true"
    done = sandboxed(project, script)
    assert done.returncode != 0
    assert "the gateway cannot listen on 127.0.0.1:" in done.stderr
    assert "Traceback" not in done.stderr
