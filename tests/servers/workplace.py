"""A folder with a configuration, the command line there, and the real servers."""

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

from reconciler.cli.main import main
from tests import interpreter
from tests.servers.accounts import INFO, PAYROLL, PAYROLL_RELAY, SUPPORT
from tests.servers.site import IMAP, SMTP

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.servers.site import Site

SUPPORT_DOCUMENT: Final = f"""\
kind: EmailConnector
name: support
display_name: an internal label of support
from_name: Support mailbox
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
display_name: an internal label of payroll
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


INFO_DOCUMENT: Final = f"""\
kind: EmailConnector
name: info
display_name: an internal label of info
from_name: Info, "Contoso"
imap: {{server: {IMAP}, port: 993, use_ssl: true, username: {INFO.username}, password: env:{INFO.variable}}}
enable_mail_send_from: true
smtp: {{server: {SMTP}, port: 587, use_ssl: true, use_same_credentials: true, email_address: {INFO.username}}}
"""

POLICY: Final = """\
kind: GlobalSmtpPolicy
enabled: {enabled}
connector: info
save_to_sent_items: {saved}
"""

FILING_PROVIDER: Final = """\
kind: Provider
name: contoso-cloud
files_sent_copies: true
"""


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended, and what it said on both streams."""

    status: int
    said: str


class Workplace:
    """A folder with ``connectors.d/``, and the command line as a user has it there."""

    def __init__(self, folder: Path, site: Site) -> None:
        self.folder = folder
        self.environ = {
            **{key: text for key, text in os.environ.items() if key == "PATH" or "COV" in key},
            **site.environ,
            "HOME": str(folder),
            "LANG": interpreter.LOCALE,
            "RECONCILER_ACTOR": "lead@contoso.example",
            "RECONCILER_ALLOW_CREDENTIAL": "*",
            "RECONCILER_CA_FILE": str(site.certificate),
            "RECONCILER_CONNECT_TO": " ".join(site.connect_to),
        }
        (folder / "connectors.d").mkdir()

    def write(self, *documents: str) -> None:
        """Replace the whole configuration with these documents."""
        path = self.folder / "connectors.d" / "connectors.yaml"
        path.write_text("---\n".join(documents))

    def start(self, *arguments: str) -> Done:
        """Run a command as a process of its own."""
        done = interpreter.run(
            (sys.executable, "-m", "reconciler", *arguments),
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
        )
        return self._checked(Done(done.returncode, done.stdout), self.environ)

    def __call__(self, *arguments: str, **environ: str) -> Done:
        """Run a command in this process, which is faster."""
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
