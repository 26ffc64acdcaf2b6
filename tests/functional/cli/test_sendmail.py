"""``sendmail`` and ``reconciler-sendmail``, called by programs that know no other way to send mail."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from reconciler.cli.exit_codes import SendmailCode, sendmail_code
from reconciler.errors import (
    DeliveryUncertain,
    ReconcilerError,
    SecretError,
    SendFailed,
    StateCorrupt,
    StateLocked,
    StateUnavailable,
)

if TYPE_CHECKING:
    from reconciler.sandbox.session import Session
    from tests.functional.conftest import Done, Home

JOAN = "joan@contoso.example"
PROGRAM = (sys.executable, "-c", "from reconciler.cli.sendmail import run; run()")


@pytest.fixture
def applied(live: Home) -> Home:
    live.apply_untested("--allow-policy-change")
    live.environ["RECONCILER_ACTOR"] = JOAN
    return live


def sendmail(home: Home, line: str, content: str) -> Done:
    stdin = io.TextIOWrapper(io.BytesIO(content.encode()))
    with mock.patch.object(sys, "stdin", stdin):
        return home("sendmail", *line.split())


def arrived(session: Session, to: str) -> bytes:
    (stray,) = [item for item in session.journal.strays if item.recipient == to]
    return stray.content


def test_recipients_come_from_the_fields_and_bcc_is_seen_by_nobody(
    applied: Home, example_session: Session
) -> None:
    content = (
        "From: Info <info@contoso.example>\nTo: t1@x.example\nCc: t2@x.example\n"
        "Bcc: t3@x.example\nSubject: Hi\n\nHello\n.\nafter a dot\n"
    )
    done = sendmail(applied, "-t -i", content)
    assert (done.status, done.out, done.err) == (0, "", "")
    for to in ("t1@x.example", "t2@x.example", "t3@x.example"):
        mail = arrived(example_session, to)
        assert b"t3@x.example" not in mail
        assert b"From: Info <info@contoso.example>" in mail
        assert mail.endswith(b"Hello\r\n.\r\nafter a dot\r\n")


def test_a_lone_dot_ends_the_mail_without_i(applied: Home, example_session: Session) -> None:
    content = "From: info@contoso.example\nSubject: Hi\n\nHello\n.\nnever sent\n"
    assert sendmail(applied, "dot@x.example", content).status == 0
    assert arrived(example_session, "dot@x.example").endswith(b"\r\n\r\nHello\r\n")


def test_mail_from_cron_goes_through_the_connector_that_is_named(
    applied: Home, example_session: Session
) -> None:
    content = "From: root (Cron Daemon)\nTo: cron@x.example\nSubject: Cron <root@web>\n\nfailed\n"
    line = "--connector info -FCronDaemon -i -odi -oem -oi -t -f root"
    assert sendmail(applied, line, content).status == 0
    mail = arrived(example_session, "cron@x.example")
    assert b"From: info@contoso.example\r\n" in mail
    assert b"(Cron Daemon)" not in mail


def test_verbose_reports_the_result_and_the_log_has_it(applied: Home) -> None:
    done = sendmail(applied, "-v -f info@contoso.example v@x.example", "hello\n")
    assert done.out.startswith("Sent through info (smtp.gmail.com:465) as info@contoso.example: <")
    (entry,) = json.loads(applied("log", "--format", "json").out)["entries"]
    assert (entry["actor"], entry["result"]) == (JOAN, "sent")
    assert entry["message_id"] in done.out


@pytest.mark.parametrize(
    ("line", "content", "status", "words"),
    [
        ("a@x.example", "From: payroll@contoso.example\n\nx\n", 77, "not among the users"),
        ("--connector nope a@x.example", "x\n", 69, "there is no connector nope"),
        ("-t", "From: info@contoso.example\nTo: root\n\nx\n", 67, "mailbox of this machine"),
        ("-t", "From: info@contoso.example\nSubject: x\n\nx\n", 65, "no recipient"),
        ("a@x.example", "From: info@contoso.example\n\n" + "x" * 1000 + "\n", 65, "line of more"),
        ("", "x\n", 64, "no recipient"),
        ("-bs", "EHLO x\n", 64, "SMTP on standard input"),
        ("-q", "x\n", 64, "there is no queue to run"),
        ("-i -- -bs", "x\n", 67, "-bs is a mailbox of this machine"),
        ("-i -- -t", "From: info@contoso.example\nTo: a@x.example\n\nx\n", 67, "-t is a mailbox"),
    ],
)
def test_failures_have_an_exit_code_of_sysexits(
    applied: Home, line: str, content: str, status: int, words: str
) -> None:
    done = sendmail(applied, line, content)
    assert (done.status, done.out) == (status, "")
    assert words in done.err


def test_a_missing_state_may_be_retried(applied: Home) -> None:
    missing = f"sqlite:///{applied.folder}/gone/state.db"
    mail = "From: info@contoso.example\n\nx\n"
    done = sendmail(applied, f"--state {missing} a@x.example", mail)
    assert done.status == 75, done.said
    assert "the state is empty" in done.err


def test_the_help_has_a_line_for_each_option(applied: Home) -> None:
    out = applied("sendmail", "--help").out
    assert (
        "\n  -t          take the recipients from To, Cc and Bcc; Bcc is removed\n  -i, -oi " in out
    )
    assert "\\b" not in out


def test_an_unavailable_server_may_be_retried(applied: Home) -> None:
    applied.redirect("smtp.gmail.com", 465, 1)
    done = sendmail(applied, "-f info@contoso.example a@x.example", "x\n")
    assert done.status == 75, done.said
    (entry,) = json.loads(applied("log", "--format", "json").out)["entries"]
    assert entry["result"] == "temporary"


def test_the_separate_program_accepts_the_same(applied: Home, example_session: Session) -> None:
    done = subprocess.run(
        [*PROGRAM, "-i", "-f", "info@contoso.example", "program@x.example"],
        cwd=applied.folder,
        env=applied.environ,
        input=b"Subject: by a program\n\n\xc3\xa4\n",
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert b"Subject: by a program" in arrived(example_session, "program@x.example")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SendFailed("x", temporary=True, code="450"), SendmailCode.TEMPORARY),
        (SendFailed("x", temporary=False, code="550", status="5.1.1"), SendmailCode.NO_USER),
        (SendFailed("x", temporary=False, code="552", status="5.3.4"), SendmailCode.UNAVAILABLE),
        (DeliveryUncertain("x", temporary=True), SendmailCode.PROTOCOL),
        (StateLocked("x"), SendmailCode.TEMPORARY),
        (StateUnavailable("x"), SendmailCode.TEMPORARY),
        (StateCorrupt("x"), SendmailCode.CONFIGURATION),
        (SecretError("x"), SendmailCode.CONFIGURATION),
        (ReconcilerError("x"), SendmailCode.SOFTWARE),
    ],
)
def test_only_harmless_failures_may_be_retried(error: ReconcilerError, code: SendmailCode) -> None:
    assert sendmail_code(error) is code
