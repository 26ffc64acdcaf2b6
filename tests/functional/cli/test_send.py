"""``reconciler send``: from arguments, files and standard input to a mail, or to an error that says why not."""

from __future__ import annotations

import io
import json
import subprocess
from email import message_from_bytes, message_from_string
from email.policy import default
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from reconciler.back_off import BackOff
from reconciler.sending import sent_copy
from tests.shell_programs import folder_of_programs

if TYPE_CHECKING:
    from email.message import EmailMessage

    from reconciler.sandbox.session import Session
    from tests.functional.conftest import Done, Home

ADA = "ada@contoso.example"
HR = "hr-lead@contoso.example"
USUAL = ("--connector", "support", "--as", ADA, "--subject", "Hello", "--to")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sandbox files no copies by itself, so that there is nothing to wait for."""
    monkeypatch.setattr(sent_copy, "_LOOKS", BackOff(first=0.01, longest=0.01, tries=6))


@pytest.fixture
def applied(live: Home) -> Home:
    live.apply_untested()
    return live


@pytest.fixture
def offline(home: Home) -> Home:
    """What is applied, and neither a secret nor a server."""
    home.apply_untested()
    return home


def with_input(home: Home, text: bytes, *arguments: str) -> Done:
    with mock.patch("sys.stdin", io.TextIOWrapper(io.BytesIO(text))):
        return home(*arguments)


def dry(done: Done) -> EmailMessage:
    """The mail that a dry run shows as JSON."""
    assert done.status == 0, done.said
    return message_from_string(json.loads(done.out)["message"], policy=default)


def body(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content()).rstrip("\r\n")


def test_it_shows_the_server_the_recipients_and_the_status_of_the_copy(
    applied: Home, example_session: Session
) -> None:
    to = "told@elsewhere.example"
    done = applied(
        "send", "--from", "payroll@contoso.example", "--as", HR, "--to", to, "--bcc", "b@x.example",
        "--subject", "Payslip", "--text", "Attached.",
    )  # fmt: skip
    assert done.status == 0, done.said
    assert "Sent through payroll (mail.contoso.example:587) as payroll@contoso.example." in done.out
    assert f"accepted    {to}\n" in done.out
    assert "accepted    b@x.example\n" in done.out
    assert "copy        filed in Sent" in done.out
    (stray,) = [item for item in example_session.journal.strays if item.recipient == to]
    received = message_from_bytes(stray.content, policy=default)
    assert received["Message-ID"] in done.out
    assert "Bcc" not in received
    assert received.get_content().strip() == "Attached."


def test_as_json_it_is_a_document_with_every_field(applied: Home) -> None:
    done = applied("send", *USUAL, "json@elsewhere.example", "--text", "x", "--format", "json")
    assert done.status == 0, done.said
    document = json.loads(done.out)
    assert document["dry_run"] is False
    assert document["route"]["connector"] == "support"
    assert document["delivery"]["accepted"] == ["json@elsewhere.example"]
    assert document["delivery"]["refused"] == []
    assert document["delivery"]["copy"]["status"] == "filed_by_provider"


def test_every_mail_is_in_the_log(applied: Home) -> None:
    assert applied("send", *USUAL, "logged@elsewhere.example", "--text", "x").status == 0
    refused = applied("send", "--connector", "payroll", "--as", ADA, "--to", "x@x.example",
                      "--subject", "x", "--text", "x")  # fmt: skip
    assert refused.status == 8
    log = json.loads(applied("log", "--format", "json").out)
    assert "logged@elsewhere.example" not in json.dumps(log)
    results = [
        entry["result"] for entry in next(iter(v for v in log.values() if isinstance(v, list)))
    ]
    assert sorted(results) == ["refused", "sent"]


def test_a_dry_run_shows_the_mail_its_way_and_why_without_secret_or_server(offline: Home) -> None:
    done = offline("send", *USUAL, "ada@x.example", "--bcc", "eve@x.example", "--text", "ok",
                   "--dry-run")  # fmt: skip
    assert done.status == 0, done.said
    assert "Nothing is sent. Goes out through support as support@contoso.example." in done.out
    assert "The request names the connector support." in done.out
    assert "to eve@x.example" in done.out
    assert "\nSubject: Hello\n" in done.out
    assert "\nBcc" not in done.out


def test_the_texts_come_from_files_and_standard_input(offline: Home) -> None:
    (offline.folder / "a.html").write_text("\ufeff<p>Größe <b>M</b></p>", encoding="utf-8")
    options = ("--html-file", "a.html", "--dry-run", "--format", "json")
    mail = dry(offline("send", *USUAL, "ada@x.example", *options))
    assert body(mail, "plain") == "Größe M"
    assert body(mail, "html") == "<p>Größe <b>M</b></p>"
    both = ("send", *USUAL, "ada@x.example", *options, "--text-file", "-")
    assert body(dry(with_input(offline, "Grüße\r\n".encode(), *both)), "plain") == "Grüße"


def test_files_have_the_type_of_their_name_or_the_given_one(offline: Home) -> None:
    for name in ("report.pdf", "data", "logo.png"):
        (offline.folder / name).write_bytes(name.encode())
    mail = dry(offline(
        "send", *USUAL, "ada@x.example", "--html", "<img src=cid:logo>",
        "--attach", "report.pdf", "--attach", "data;type=text/csv", "--inline", "logo=logo.png",
        "--header", "X-Ticket: 4711", "--auto-submitted", "--from-name", "Desk",
        "--dry-run", "--format", "json",
    ))  # fmt: skip
    files = {part.get_filename(): part.get_content_type() for part in mail.walk()}
    assert files["report.pdf"] == "application/pdf"
    assert files["data"] == "text/csv"
    assert files["logo.png"] == "image/png"
    assert (mail["X-Ticket"], mail["Auto-Submitted"]) == ("4711", "auto-generated")
    assert str(mail["From"]) == "Desk <support@contoso.example>"


def test_a_complete_mail_comes_from_standard_input(applied: Home, example_session: Session) -> None:
    to = "whole@elsewhere.example"
    raw = f"From: support@contoso.example\nTo: {to}\nSubject: As is\n\nBody\n".encode()
    done = with_input(applied, raw, "send", "--raw", "--as", ADA)
    assert done.status == 0, done.said
    (stray,) = [item for item in example_session.journal.strays if item.recipient == to]
    assert stray.content.endswith(b"\r\n\r\nBody\r\n")


def test_recipients_of_the_command_line_replace_those_of_a_complete_mail(offline: Home) -> None:
    raw = b"From: support@contoso.example\nTo: list@x.example\nSubject: As is\n\nBody\n"
    done = with_input(offline, raw, "send", "--raw", "--as", ADA, "--to", "ada@x.example",
                      "--dry-run", "--format", "json")  # fmt: skip
    assert json.loads(done.out)["recipients"] == ["ada@x.example"]
    assert dry(done)["To"] == "list@x.example"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--text", "x", "--subject", " "), "no subject"),
        ((), "no text"),
        (("--text", "x", "--text-file", "a.txt"), "not both"),
        (("--text-file", "-", "--html-file", "-"), "only one text can come from standard input"),
        (("--text-file", "missing.txt"), "missing.txt cannot be read"),
        (("--text-file", "empty.txt"), "the text from empty.txt is empty"),
        (("--text-file", "latin1.txt"), "latin1.txt is not text in UTF-8"),
        (("--text", "x", "--attach", "missing.pdf"), "missing.pdf cannot be attached"),
        (("--text", "x", "--attach", "latin1.txt;type="), "names no media type"),
        (("--text", "x", "--attach", "latin1.txt;type=pdf"), "invalid content type"),
        (("--html", "x", "--inline", "latin1.txt"), "invalid inline image"),
        (("--text", "x", "--inline", "a=latin1.txt"), "needs HTML"),
        (("--text", "x", "--header", "Nothing"), "invalid header field"),
        (("--text", "x", "--header", "Bcc: eve@x.example"), "cannot be set"),
        (("--text", "x", "--header", "X-A: a\r\nBcc: eve@x.example"), "line break"),
        (("--text", "x", "--subject", "a\nBcc: eve@x.example"), "line break"),
        (("--text", "x", "--cc", "not an address"), "invalid address"),
        (("--raw", "--text", "x"), "--text cannot be combined with --raw"),
    ],
)
def test_an_invalid_mail_is_rejected_with_a_reason(
    offline: Home, arguments: tuple[str, ...], words: str
) -> None:
    (offline.folder / "latin1.txt").write_bytes("Größe".encode("latin-1"))
    (offline.folder / "empty.txt").write_text("\n")
    usual = USUAL if "--raw" not in arguments else ("--as", ADA, "--to")
    done = offline("send", *usual, "ada@x.example", *arguments)
    assert done.status == 64, done.said
    assert words in done.err
    assert done.out == ""


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("--connector", "payroll", "--as", ADA), 8, "not among the users of payroll"),
        (("--connector", "newsletter", "--as", ADA), 1, "is a draft"),
        (("--connector", "invoices", "--as", ADA), 1, "only receives"),
        (("--connector", "nothing", "--as", ADA), 1, "there is no connector nothing"),
    ],
)
def test_a_forbidden_mail_is_rejected_with_a_reason(
    offline: Home, arguments: tuple[str, ...], status: int, words: str
) -> None:
    rest = ("--to", "ada@x.example", "--subject", "x", "--text", "x")
    for more in ((), ("--dry-run",)):
        done = offline("send", *arguments, *rest, *more)
        assert (done.status, words in done.err) == (status, True), done.said


def test_a_server_that_is_down_may_be_retried(applied: Home) -> None:
    applied.redirect("smtp.office365.com", 587, 1)
    done = applied("send", *USUAL, "ada@x.example", "--text", "x")
    assert done.status == 75, done.said
    assert "No connection" in done.err


def test_a_mail_without_a_text_says_how_to_give_one(offline: Home) -> None:
    done = with_input(offline, b"Hello\n", "send", *USUAL, "x@elsewhere.example")
    assert done.status == 64
    assert "--text-file - for what is on standard input" in done.err
    assert "Hello" in body(
        dry(
            with_input(
                offline, b"Hello\n", "send", *USUAL, "x@elsewhere.example",
                "--text-file", "-", "--dry-run", "--format", "json",
            )
        ),
        "plain",
    )  # fmt: skip


@pytest.mark.parametrize(
    "redirected", [">/dev/full", ">/dev/full 2>/dev/full", ">&-", "| exec sleep 0"]
)
def test_a_sent_mail_counts_as_sent_even_if_the_report_fails(
    applied: Home, example_session: Session, redirected: str
) -> None:
    """A caller that took it for a failure would send it again."""
    to = f"report-{abs(hash(redirected))}@elsewhere.example"
    mail = f"--connector support --as {ADA} --subject x --text x --to {to}"
    script = f"{{ {folder_of_programs()}/reconciler send {mail}; echo $? >status; }} {redirected}"
    done = subprocess.run(
        ["/bin/sh", "-c", script],
        cwd=applied.folder,
        env=applied.environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (applied.folder / "status").read_text() == "0\n", done.stderr
    assert b"Traceback" not in done.stderr
    assert [item.recipient for item in example_session.journal.strays].count(to) == 1
