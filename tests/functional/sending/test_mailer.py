"""The API for applications: mail goes out through what was applied, and only as the configuration allows."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from email import message_from_bytes
from email.policy import default
from typing import TYPE_CHECKING, Any

import pytest

from reconciler import Mailer, Message, RawMessage
from reconciler.back_off import BackOff
from reconciler.errors import (
    NotAuthorised,
    RouteRefused,
    SendFailed,
    StateUnavailable,
    UsageError,
)
from reconciler.model.sending import SendingRecord, SendingResult
from reconciler.sending import sent_copy
from reconciler.sending.outcome import CopyStatus

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage

    from reconciler.sandbox.session import Session
    from tests.functional.conftest import Home

ADA = "ada@contoso.example"
HR = "hr-lead@contoso.example"


class Notes:
    """A journal in memory."""

    def __init__(self) -> None:
        self.outcomes: list[SendingRecord] = []

    def record(self, record: SendingRecord) -> None:
        self.outcomes.append(record)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sandbox files no copies by itself, so that there is nothing to wait for."""
    monkeypatch.setattr(sent_copy, "_LOOKS", BackOff(first=0.01, longest=0.01, tries=6))


@pytest.fixture
def applied(live: Home) -> Home:
    """The shipped example, applied, with its servers."""
    live.apply_untested()
    return live


@contextmanager
def mailer(home: Home, actor: str = ADA, **options: Any) -> Iterator[Mailer]:
    with Mailer.open(
        actor=actor,
        config=home.config,
        environ=home.environ,
        timeout=20,
        copies_in_background=False,
        **options,
    ) as opened:
        yield opened


def mail(to: str, **fields: Any) -> Message:
    return Message(to=(to,), **{"subject": "Payslip", "text": "Hello,\n.\nyours", **fields})


def arrived(session: Session, to: str) -> EmailMessage:
    """The one mail for an address that no account of the sandbox has."""
    (stray,) = [item for item in session.journal.strays if item.recipient == to]
    return message_from_bytes(stray.content, policy=default)


def test_a_mail_goes_out_as_the_connector_and_shows_no_blind_copies(
    applied: Home, example_session: Session
) -> None:
    to = "one@elsewhere.example"
    with mailer(applied, HR) as opened:
        sent = opened.send(
            mail(to, bcc=("blind@elsewhere.example",)), sender="payroll@contoso.example"
        )
    assert sent.route.connector == "payroll"
    assert sent.accepted == (to, "blind@elsewhere.example")
    assert (sent.copy.status, sent.copy.folder) == (CopyStatus.APPENDED, "Sent")
    received = arrived(example_session, to)
    assert str(received["From"]) == "Contoso Payroll <payroll@contoso.example>"
    assert received["Message-ID"] == sent.message_id
    assert received["Bcc"] is None
    assert received.get_content().splitlines() == ["Hello,", ".", "yours"]


def test_a_policy_that_is_applied_reaches_a_mailer_that_is_open(
    applied: Home, example_session: Session
) -> None:
    with mailer(applied, HR) as opened:
        assert opened.send(mail("a@elsewhere.example"), connector="payroll").warnings == ()
        applied.edit("policy.yaml", "enabled: false", "enabled: true")
        applied.apply_untested("--allow-policy-change")
        opened.dispatch.applied._looked = 0.0  # a second later
        forced = opened.send(mail("forced@elsewhere.example"), connector="payroll")
        applied.edit("policy.yaml", "enabled: true", "enabled: false")
        applied.apply_untested("--allow-policy-change")
        opened.dispatch.applied._looked = 0.0
        after = opened.send(mail("b@elsewhere.example"), connector="payroll")
    assert (forced.route.connector, after.route.connector) == ("no-reply", "payroll")
    assert forced.copy.status is CopyStatus.APPENDED
    received = arrived(example_session, "forced@elsewhere.example")
    assert received["From"].addresses[0].addr_spec == "no-reply@contoso.example"
    assert str(received["Reply-To"]) == "payroll@contoso.example"
    assert str(received["X-Original-From"]) == "payroll@contoso.example"
    assert received["Sender"] is None


def test_a_forced_mailer_still_needs_the_right_to_the_connector_that_it_names(
    applied: Home,
) -> None:
    applied.edit("policy.yaml", "enabled: false", "enabled: true")
    applied.apply_untested("--allow-policy-change")
    with mailer(applied, ADA) as opened, pytest.raises(NotAuthorised, match="not among the users"):
        opened.send(mail("x@elsewhere.example"), connector="payroll")


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        ({"connector": "payroll"}, NotAuthorised, "not among the users of payroll"),
        ({"connector": "newsletter"}, RouteRefused, "is a draft"),
        ({"connector": "invoices"}, RouteRefused, "only receives"),
        ({"connector": "nothing"}, RouteRefused, "there is no connector nothing"),
    ],
)
def test_a_forbidden_mail_is_rejected_with_a_reason_and_recorded(
    applied: Home, asked: dict[str, str], error: type[Exception], words: str
) -> None:
    notes = Notes()
    with mailer(applied, journal=notes) as opened, pytest.raises(error, match=words):
        opened.send(mail("x@elsewhere.example"), **asked)  # type: ignore[arg-type]
    (outcome,) = notes.outcomes
    assert (outcome.result, outcome.connector) == (SendingResult.REFUSED, asked["connector"])
    assert words in outcome.sentence


def test_a_sent_mail_is_recorded_without_its_content(applied: Home) -> None:
    notes = Notes()
    with mailer(applied, journal=notes) as opened:
        sent = opened.send(mail("noted@elsewhere.example", subject="Secret plan"),
                           sender="stranger@contoso.example")  # fmt: skip
    (outcome,) = notes.outcomes
    assert outcome.result is SendingResult.SENT
    assert (outcome.sender, outcome.from_address) == (
        "stranger@contoso.example",
        "no-reply@contoso.example",
    )
    assert (outcome.recipients, outcome.accepted, outcome.size) == (1, 1, sent.size)
    assert "Secret plan" not in repr(outcome)


def test_a_journal_that_cannot_be_written_fails_no_mail(applied: Home) -> None:
    class Full:
        def record(self, record: SendingRecord) -> None:
            raise StateUnavailable(f"the disk is full at {record.at:%Y}")

    with mailer(applied, journal=Full()) as opened:
        sent = opened.send(mail("full@elsewhere.example"), connector="support")
    assert sent.accepted == ("full@elsewhere.example",)
    assert any("not written to the log: the disk is full" in text for text in sent.warnings)


def test_a_complete_mail_goes_out_unchanged(applied: Home, example_session: Session) -> None:
    raw = RawMessage(
        b"From: Desk <support@contoso.example>\nTo: raw@elsewhere.example\nSubject: As is\n"
        b"Bcc: hidden@elsewhere.example\nX-Odd:   spaced\n\nBody\n"
    )
    with mailer(applied) as opened:
        sent = opened.send(raw)
    assert sent.route.connector == "support"
    assert sent.accepted == ("raw@elsewhere.example", "hidden@elsewhere.example")
    received = arrived(example_session, "raw@elsewhere.example")
    assert str(received["From"]) == "Desk <support@contoso.example>"
    assert received["X-Odd"] == "spaced"
    assert received["Bcc"] is None


def test_threads_take_turns(applied: Home) -> None:
    with mailer(applied) as opened, ThreadPoolExecutor(8) as pool:
        work = [
            pool.submit(opened.send, mail(f"t{number}@elsewhere.example"), connector="support")
            for number in range(24)
        ]
        sent = [item.result() for item in work]
    assert len({item.message_id for item in sent}) == 24
    assert all(item.accepted for item in sent)


def test_preparing_needs_no_secret_and_no_server(home: Home) -> None:
    home.apply_untested()
    with mailer(home) as opened:
        prepared = opened.prepare(mail("x@elsewhere.example"), connector="support")
    assert prepared.envelope.sender == "support@contoso.example"
    assert b"Subject: Payslip\r\n" in prepared.content


def test_a_wrong_password_is_permanent_and_a_server_that_is_down_is_not(applied: Home) -> None:
    applied.environ["INFO_APP_PASSWORD"] = "wrong password"
    with mailer(applied, "joan@contoso.example") as opened:
        with pytest.raises(SendFailed, match="does not accept") as wrong:
            opened.send(mail("x@elsewhere.example"), connector="info")
        assert not wrong.value.temporary
        assert "wrong password" not in str(wrong.value)
    applied.redirect("smtp.office365.com", 587, 1)
    with mailer(applied) as opened, pytest.raises(SendFailed, match="No connection") as down:
        opened.send(mail("x@elsewhere.example"), connector="support")
    assert down.value.temporary


def test_nothing_is_sent_before_anything_is_applied(live: Home) -> None:
    with mailer(live) as opened, pytest.raises(StateUnavailable, match="the state is empty"):
        opened.send(mail("x@elsewhere.example"), connector="support")


def test_a_mail_without_recipient_subject_or_text_is_rejected(applied: Home) -> None:
    with mailer(applied) as opened:
        for message in (
            Message(subject="a", text="b"),
            mail("x@elsewhere.example", subject=" "),
            mail("x@elsewhere.example", text=None),
        ):
            with pytest.raises(UsageError):
                opened.send(message, connector="support")


def test_arguments_take_precedence_over_the_environment(home: Home) -> None:
    home.apply_untested()
    home.environ["RECONCILER_CONFIG"] = "/nowhere/connectors.d"
    with mailer(home) as opened:
        prepared = opened.prepare(mail("x@elsewhere.example"), connector="support")
    assert prepared.route.connector == "support"


def test_a_policy_counts_that_is_applied_just_before_the_server_gets_the_text(
    applied: Home, example_session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.app.applied.FRESH", 0.0)
    notes: list[SendingRecord] = []

    class Late(Notes):
        def handing_over(self, record: SendingRecord) -> None:
            notes.append(record)
            applied.edit("policy.yaml", "enabled: false", "enabled: true")
            applied.apply_untested("--allow-policy-change")

    journal = Late()
    to = "overtaken@x.example"
    with mailer(applied, HR, journal=journal) as opened:
        sent = opened.send(mail(to), connector="payroll")
    assert [item.connector for item in notes] == ["payroll"]
    assert sent.route.connector == "no-reply"
    assert arrived(example_session, to)["From"].addresses[0].addr_spec == "no-reply@contoso.example"
    assert [item.connector for item in journal.outcomes] == ["no-reply"]
