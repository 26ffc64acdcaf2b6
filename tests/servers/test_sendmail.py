"""Mail that programs hand to ``reconciler-sendmail``, through Postfix into the inboxes of Dovecot."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.servers.accounts import ADA, BOB, SENT, SUPPORT
from tests.servers.mailboxes import decoded, parsed, text_of
from tests.shell_programs import write_program

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers.mailboxes import Mailboxes
    from tests.servers.workplace import Workplace

pytestmark = pytest.mark.server

GIT_EMAIL: Final = Path("/usr/lib/git-core/git-send-email")
GIT_USER: Final = {"GIT_COMMITTER_NAME": "Support", "GIT_COMMITTER_EMAIL": SUPPORT.username,
                   "GIT_AUTHOR_NAME": "Support", "GIT_AUTHOR_EMAIL": SUPPORT.username}  # fmt: skip
PROGRAM: Final = (sys.executable, "-c", "from reconciler.cli.sendmail import run; run()")


@pytest.fixture
def environ(workplace: Workplace, apply: Callable[..., None]) -> dict[str, str]:
    apply()
    config = workplace.folder / "connectors.d"
    return {**os.environ, **workplace.environ, "RECONCILER_CONFIG": str(config)}


def sendmail(environ: dict[str, str], *arguments: str, content: bytes) -> str:
    """Call the program, and return the Message-ID that it prints."""
    done = subprocess.run(
        [*PROGRAM, "-v", *arguments],
        env=environ,
        input=content,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    found = re.search(r"<[^>]+>", done.stdout.decode())
    assert found is not None
    return found[0]


def test_a_mail_with_recipients_in_its_fields_arrives_and_is_filed(
    environ: dict[str, str], mailboxes: Mailboxes
) -> None:
    content = (
        f"From: {SUPPORT.username}\nTo: {ADA.username}\nBcc: {BOB.username}\n"
        "Subject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe?=\nMIME-Version: 1.0\n"
        "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"
        "Größe\n.\nafter a dot\n"
    ).encode()
    message_id = sendmail(environ, "-t", "-i", content=content)
    for account in (ADA, BOB):
        mail = mailboxes.one(account, "INBOX", message_id)
        assert "Bcc" not in parsed(mail)
        assert text_of(mail) == "Größe\n.\nafter a dot\n"
    assert parsed(mailboxes.one(SUPPORT, SENT, message_id))["Bcc"] == BOB.username


def test_mail_from_cron_arrives(environ: dict[str, str], mailboxes: Mailboxes) -> None:
    content = b"From: root (Cron Daemon)\nSubject: Cron <root@web> backup\n\ndisk full\n"
    vector = ("--connector", "support", "-i", "-FCronDaemon", "-B8BITMIME", "-oem", ADA.username)
    message_id = sendmail(environ, *vector, content=content)
    mail = parsed(mailboxes.one(ADA, "INBOX", message_id))
    assert SUPPORT.username in mail["From"]


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """The program as a file that other programs can call."""
    path = tmp_path / "reconciler-sendmail"
    write_program(path, *PROGRAM[1:])
    return path


def run(environ: dict[str, str], *command: str, cwd: Path, given: str = "") -> str:
    if shutil.which(command[0]) is None or (command[0] == "git" and not GIT_EMAIL.exists()):
        pytest.skip("it is not installed: apt-get install git-email s-nail")
    done = subprocess.run(
        command,
        env=environ | {"HOME": str(cwd)} | GIT_USER,
        cwd=cwd,
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_git_sends_a_patch_with_it(
    environ: dict[str, str], mailboxes: Mailboxes, program: Path
) -> None:
    patch = program.with_name("0001.patch")
    patch.write_text(
        f"From 1 Mon Sep 17 00:00:00 2001\nFrom: {SUPPORT.username}\nSubject: [PATCH] Fix\n\n---\n"
    )
    said = run(
        environ, "git", "send-email", f"--smtp-server={program}", f"--from={SUPPORT.username}",
        f"--envelope-sender={SUPPORT.username}", f"--to={ADA.username}", "--confirm=never",
        "--suppress-cc=all", str(patch), cwd=program.parent,
    )  # fmt: skip
    found = re.search(r"^Message-I[dD]: (<[^>]+>)", said, re.MULTILINE)
    assert found is not None
    assert parsed(mailboxes.one(ADA, "INBOX", found[1]))["Subject"] == "[PATCH] Fix"


def test_mailx_sends_with_it(environ: dict[str, str], mailboxes: Mailboxes, program: Path) -> None:
    run(
        environ, "s-nail", "-n", "-S", f"mta={program}", "-S", "ttycharset=utf-8",
        "-r", SUPPORT.username, "-s", "Größe", ADA.username, cwd=program.parent, given="Ein Text\n",
    )  # fmt: skip
    done = run(environ, sys.executable, "-m", "reconciler", "log", "--format", "json",
               cwd=program.parent)  # fmt: skip
    mail = mailboxes.one(ADA, "INBOX", json.loads(done)["entries"][0]["message_id"])
    assert decoded(mail, "Subject") == "Größe"
    assert text_of(mail) == "Ein Text\n"
