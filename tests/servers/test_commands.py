"""The command line from end to end: files, live tests against Dovecot and Postfix, stored state."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from unittest import mock

import pytest

from reconciler.cli.main import main
from tests.servers.accounts import PAYROLL, PAYROLL_RELAY, SUPPORT
from tests.servers.site import DOWN, IMAP, SMTP

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.servers.dovecot import Dovecot
    from tests.servers.site import Site

pytestmark = pytest.mark.server

SUPPORT_DOCUMENT: Final = f"""\
kind: EmailConnector
name: support
display_name: Support mailbox
imap:
  server: {IMAP}
  port: 143
  use_ssl: true
  username: {SUPPORT.username}
  password: env:{SUPPORT.variable}
enable_mail_send_from: true
smtp:
  server: {SMTP}
  port: 587
  use_ssl: true
  email_address: {SUPPORT.username}
  use_same_credentials: true
"""

PAYROLL_DOCUMENT: Final = f"""\
kind: EmailConnector
name: payroll
display_name: Payroll
imap:
  server: {IMAP}
  port: 993
  use_ssl: true
  username: {PAYROLL.username}
  password: env:{PAYROLL.variable}
enable_mail_send_from: true
smtp:
  server: {SMTP}
  port: 465
  use_ssl: true
  email_address: {PAYROLL.username}
  use_same_credentials: false
  username: {PAYROLL_RELAY.username}
  password: env:{PAYROLL_RELAY.variable}
"""


RELAY_LOCKED_OUT: Final = {PAYROLL_RELAY.variable: "not the password of the relay"}


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended, and what it said on both streams."""

    status: int
    said: str


class Workplace:
    """A folder with ``connectors.d/`` in it, and the command line as somebody there has it."""

    def __init__(self, folder: Path, site: Site) -> None:
        self.folder = folder
        self.environ = {
            **{key: text for key, text in os.environ.items() if key == "PATH" or "COV" in key},
            **site.environ,
            "HOME": str(folder),
            "RECONCILER_ACTOR": "lead@contoso.example",
            "RECONCILER_CA_FILE": str(site.certificate),
            "RECONCILER_CONNECT_TO": " ".join(site.connect_to),
        }
        (folder / "connectors.d").mkdir()

    def write(self, *documents: str) -> None:
        """Make these documents the whole configuration."""
        path = self.folder / "connectors.d" / "connectors.yaml"
        path.write_text("---\n".join(documents))

    def start(self, *arguments: str) -> Done:
        """Run a command as a process of its own."""
        done = subprocess.run(
            (sys.executable, "-m", "reconciler", *arguments),
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        return self._checked(Done(done.returncode, done.stdout), self.environ)

    def __call__(self, *arguments: str, **environ: str) -> Done:
        """Run a command in this process, which takes a third of the time."""
        said = io.StringIO()
        with (
            mock.patch.dict(os.environ, self.environ | environ, clear=True),
            contextlib.chdir(self.folder),
            contextlib.redirect_stdout(said),
            contextlib.redirect_stderr(said),
        ):
            status = main(list(arguments))
        return self._checked(Done(status, said.getvalue()), self.environ | environ)

    @property
    def status(self) -> dict[str, str]:
        """The status of each stored connector."""
        done = self("status", "--format", "json")
        assert done.status == 0, done.said
        return {item["name"]: item["status"] for item in json.loads(done.said)["connectors"]}

    def _checked(self, done: Done, environ: Mapping[str, str]) -> Done:
        for account in (SUPPORT, PAYROLL, PAYROLL_RELAY):
            assert environ[account.variable] not in done.said
        return done


@pytest.fixture
def workplace(tmp_path: Path, mail_site: Site) -> Workplace:
    return Workplace(tmp_path, mail_site)


def test_from_files_to_an_applied_state_and_no_further(workplace: Workplace) -> None:
    workplace.write(SUPPORT_DOCUMENT, PAYROLL_DOCUMENT)
    assert workplace("validate").status == 0

    planned = workplace("plan", "--detailed-exitcode")
    assert planned.status == 2, planned.said
    assert "Plan: 2 to add, 0 to change, 0 to destroy." in planned.said

    applied = workplace.start("apply", "--auto-approve")
    assert applied.status == 0, applied.said
    assert "Apply complete!" in applied.said
    assert workplace.status == {"payroll": "ready", "support": "ready"}

    again = workplace.start("apply", "--auto-approve")
    assert again.status == 0, again.said
    assert "No changes." in again.said
    assert workplace("plan", "--detailed-exitcode").status == 0


def test_a_wrong_password_applies_nothing_and_is_tried_once(
    workplace: Workplace, dovecot: Dovecot
) -> None:
    workplace.write(PAYROLL_DOCUMENT, SUPPORT_DOCUMENT)
    before = dovecot.failed_logins(PAYROLL_RELAY.username)
    refused = workplace("apply", "--auto-approve", **RELAY_LOCKED_OUT)
    assert refused.status == 4, refused.said
    assert "auth_rejected" in refused.said
    assert dovecot.failed_logins(PAYROLL_RELAY.username) == before + 1
    assert workplace.status == {}


def test_what_passed_is_applied_without_what_failed_if_so_wanted(workplace: Workplace) -> None:
    workplace.write(SUPPORT_DOCUMENT, PAYROLL_DOCUMENT)
    partly = workplace("apply", "--auto-approve", "--keep-going", **RELAY_LOCKED_OUT)
    assert partly.status == 4, partly.said
    assert workplace.status == {"support": "ready"}


def test_a_secret_that_was_rotated_to_a_wrong_one_is_not_applied(workplace: Workplace) -> None:
    workplace.write(SUPPORT_DOCUMENT)
    assert workplace("apply", "--auto-approve").status == 0
    rotated = {SUPPORT.variable: "mistyped when it was rotated"}
    refused = workplace("apply", "--auto-approve", **rotated)
    assert refused.status == 4, refused.said
    assert "No changes." in workplace("apply", "--auto-approve").said


def test_a_server_that_is_down_is_told_from_one_that_says_no(workplace: Workplace) -> None:
    workplace.write(SUPPORT_DOCUMENT)
    assert workplace("apply", "--auto-approve").status == 0
    workplace.write(SUPPORT_DOCUMENT, PAYROLL_DOCUMENT.replace(IMAP, DOWN))
    unreachable = workplace("apply", "--auto-approve")
    assert unreachable.status == 9, unreachable.said
    assert workplace.status == {"support": "ready"}
    assert workplace("test", "payroll").status == 9
    assert workplace("test", "support").status == 0
