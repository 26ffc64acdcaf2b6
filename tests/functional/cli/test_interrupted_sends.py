"""A signal at any moment of a send: the exit code and the log report the result of the mail."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.functional.signalled import run_signalled

if TYPE_CHECKING:
    from reconciler.sandbox.session import Session
    from tests.functional.conftest import Home

MAIL: Final = "From: info@contoso.example\nTo: {}\nSubject: Hi\n\nHello\n"
BEFORE: Final = "before reconciler.mail.smtp.SmtpSession.submit"
WITHIN: Final = "before reconciler.mail.smtp.SmtpSession._content"
ANSWERED: Final = "after reconciler.mail.smtp.SmtpSession.submit"
COPYING: Final = "before reconciler.sending.sent_copy.Copies.file"
CLOSING: Final = "before reconciler.app.mailer.Mailer.close"
LOGGED: Final = "before reconciler.state.sqlite_mail._add"


@pytest.fixture
def applied(live: Home) -> Home:
    live.edit("info.yaml", "kind: EmailConnector", "kind: EmailConnector\nsave_sent: always")
    live.apply_untested("--allow-policy-change")
    live.environ["RECONCILER_ACTOR"] = "joan@contoso.example"
    return live


def logged(home: Home) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads(home("log", "--format", "json").out)["entries"]
    return entries


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("moment", "number", "status", "said", "result"),
    [
        (BEFORE, signal.SIGTERM, 75, "nothing was sent", "temporary"),
        (BEFORE, signal.SIGHUP, 75, "nothing was sent", "temporary"),
        (LOGGED, signal.SIGTERM, 76, "it may have been delivered", "uncertain"),
        (WITHIN, signal.SIGTERM, 76, "it may have been delivered", "uncertain"),
        (WITHIN, signal.SIGINT, 76, "it may have been delivered", "uncertain"),
        (WITHIN, signal.SIGHUP, 76, "it may have been delivered", "uncertain"),
        (ANSWERED, signal.SIGHUP, 76, "it may have been delivered", "uncertain"),
        (COPYING, signal.SIGHUP, 0, "no copy was filed: interrupted by a signal", "sent"),
        (CLOSING, signal.SIGTERM, 0, "", "sent"),
        ("after reconciler.app.mailer.Mailer.close", signal.SIGTERM, 0, "", "sent"),
        ("before reconciler.cli.commands.sendmail._told", signal.SIGTERM, 0, "", "sent"),
        ("after reconciler.cli.main.main", signal.SIGTERM, 0, "", "sent"),
    ],
)
def test_the_exit_code_of_sendmail_reflects_the_result_of_the_mail(
    applied: Home, moment: str, number: signal.Signals, status: int, said: str, result: str
) -> None:
    content = MAIL.format("ada@elsewhere.example")
    done = run_signalled(applied, moment, (number,), "sendmail", "-t", "-i", stdin=content)
    assert done.status == status, done.said
    assert said in done.err
    assert "Traceback" not in done.said
    (entry,) = logged(applied)
    assert (entry["result"], entry["connector"]) == (result, "info")


@pytest.mark.parametrize(
    ("moment", "status", "said"),
    [
        (BEFORE, 130, "Interrupted: nothing was sent."),
        (WITHIN, 1, "it may have been delivered"),
        (COPYING, 0, ""),
        (CLOSING, 0, ""),
        ("before reconciler.render.sent.sent_text", 0, ""),
    ],
)
def test_the_exit_code_of_send_reflects_the_result_of_the_mail(
    applied: Home, moment: str, status: int, said: str
) -> None:
    mail = ("--connector", "info", "--to", "t@x.example", "--subject", "Hi", "--text", "Hello")
    done = run_signalled(applied, moment, (signal.SIGTERM,), "send", *mail)
    assert done.status == status, done.said
    assert said in done.err
    assert "Traceback" not in done.said
    assert len(logged(applied)) == 1


def test_a_second_signal_while_a_mailer_closes_does_not_deny_the_mail(applied: Home) -> None:
    content = MAIL.format("ada@elsewhere.example")
    signals = (signal.SIGTERM, signal.SIGTERM)
    done = run_signalled(applied, CLOSING, signals, "sendmail", "-t", "-i", stdin=content)
    assert (done.status, done.said) == (0, "")


def test_a_process_that_is_killed_leaves_its_mail_in_the_log(
    applied: Home, example_session: Session
) -> None:
    content = MAIL.format("killed@elsewhere.example")
    done = run_signalled(applied, WITHIN, (signal.SIGKILL,), "sendmail", "-t", "-i", stdin=content)
    assert done.status == -signal.SIGKILL
    (entry,) = logged(applied)
    assert entry["result"] == "uncertain"
    assert entry["sentence"] == "it was being handed over, and nothing more is known"
    assert entry["recipients"] == 1
    assert not [
        item
        for item in example_session.journal.strays
        if item.recipient == "killed@elsewhere.example"
    ]


def test_after_a_signal_before_sendmail_has_begun_its_caller_tries_again(home: Home) -> None:
    moment = "before reconciler.cli.main.check_arguments"
    done = run_signalled(home, moment, (signal.SIGTERM,), "sendmail", "-t", "-i", stdin=MAIL)
    assert (done.status, done.said) == (75, "Interrupted: nothing was sent.\n")


@pytest.mark.parametrize("moment", [WITHIN, ANSWERED])
def test_two_signals_never_deny_a_mail_that_was_handed_over(applied: Home, moment: str) -> None:
    content = MAIL.format("ada@elsewhere.example")
    signals = (signal.SIGTERM, signal.SIGINT)
    done = run_signalled(applied, moment, signals, "sendmail", "-t", "-i", stdin=content)
    assert done.status == 76, done.said
    assert "it may have been delivered" in done.err
    assert "Traceback" not in done.said
    (entry,) = logged(applied)
    assert entry["result"] == "uncertain"
