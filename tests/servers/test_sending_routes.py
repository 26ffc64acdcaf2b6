"""The sender of a mail that the global policy forces, and where its copy goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler import Mailer, Message, RawMessage
from reconciler.model.connector import SaveSent
from reconciler.sending.outcome import CopyStatus
from tests.servers.accounts import (
    ADA,
    INFO,
    LOCAL_SENT,
    PAYROLL,
    SENT,
    SUPPORT,
)
from tests.servers.mailboxes import compare, parsed, people
from tests.servers.workplace import FILING_PROVIDER, POLICY, SUPPORT_DOCUMENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers.mailboxes import Mailboxes
    from tests.servers.workplace import Workplace

pytestmark = pytest.mark.server


def test_the_global_policy_forces_all_mail_until_it_is_turned_off(
    mailer: Mailer, mailboxes: Mailboxes, apply: Callable[..., None]
) -> None:
    letter = Message(to=(ADA.username,), subject="Policy", text="ok\n")
    before = mailer.send(letter, connector="support")
    assert before.route.connector == "support"
    apply(POLICY.format(enabled="true", saved="true"))
    forced = mailer.send(letter, connector="support")
    apply(POLICY.format(enabled="false", saved="true"))
    after = mailer.send(letter, connector="support")

    mail = compare(mailboxes, forced, ADA, LOCAL_SENT)
    assert people(mail, "From") == [('Info, "Contoso"', INFO.username)]
    assert parsed(mail)["Reply-To"] == SUPPORT.username
    assert parsed(mail)["X-Original-From"] == SUPPORT.username
    assert "Sender" not in parsed(mail)
    whole = mailboxes.one(ADA, "INBOX", forced.message_id)
    assert parsed(whole)["Return-Path"] == f"<{INFO.username}>"
    assert forced.message_id.endswith("@contoso.example>")
    assert mailboxes.count(SUPPORT, SENT, forced.message_id) == 0

    for free in (before, after):
        mail = compare(mailboxes, free, ADA)
        assert people(mail, "From") == [("Support mailbox", SUPPORT.username)]
        assert "X-Original-From" not in parsed(mail)
        assert mailboxes.count(INFO, LOCAL_SENT, free.message_id) == 0


def test_a_forced_complete_mail_keeps_its_original_sender(
    mailer: Mailer, mailboxes: Mailboxes, apply: Callable[..., None]
) -> None:
    apply(POLICY.format(enabled="true", saved="false"))
    raw = f"From: Cron <root@hosts.example>\nSender: root@hosts.example\nTo: {ADA.username}\nSubject: x\n\nx\n"
    sent = mailer.send(RawMessage(raw.encode()))
    assert sent.copy.status is CopyStatus.NOT_WANTED
    mail = parsed(mailboxes.one(ADA, "INBOX", sent.message_id))
    assert [item.addr_spec for item in mail["From"].addresses] == [INFO.username]
    assert mail["Reply-To"] == mail["X-Original-From"] == "root@hosts.example"
    assert "Sender" not in mail
    assert sent.warnings
    assert mailboxes.count(INFO, LOCAL_SENT, sent.message_id) == 0


@pytest.mark.parametrize(
    ("desired", "filed"), [(SaveSent.AUTO, 0), (SaveSent.ALWAYS, 1), (SaveSent.NEVER, 0)]
)
def test_no_copy_is_filed_where_the_provider_files_them(
    mailer: Mailer,
    mailboxes: Mailboxes,
    apply: Callable[..., None],
    desired: SaveSent,
    filed: int,
) -> None:
    cloud = SUPPORT_DOCUMENT.replace("imap:\n", "provider: contoso-cloud\nimap:\n")
    apply(FILING_PROVIDER, support=cloud)
    letter = Message(to=(ADA.username,), subject="Copies", text="ok\n")
    sent = mailer.send(letter, connector="support", save_sent=desired)
    assert mailboxes.one(ADA, "INBOX", sent.message_id)
    assert mailboxes.count(SUPPORT, SENT, sent.message_id) == filed


def test_a_copy_that_the_server_filed_itself_is_found(
    mailer: Mailer, mailboxes: Mailboxes, apply: Callable[..., None]
) -> None:
    """The copy arrives in the folder that the connector names for sent mail, which is the inbox."""
    apply(support=SUPPORT_DOCUMENT + "sent_folder: INBOX\n")
    letter = Message(to=(SUPPORT.username,), subject="To myself", text="ok\n")
    sent = mailer.send(letter, connector="support")
    assert (sent.copy.status, sent.copy.folder) == (CopyStatus.FOUND, "INBOX")
    assert mailboxes.count(SUPPORT, "INBOX", sent.message_id) == 1


def test_a_copy_that_cannot_be_filed_is_reported_and_the_mail_is_sent_once(
    mailer: Mailer, mailboxes: Mailboxes, apply: Callable[..., None]
) -> None:
    apply(support=SUPPORT_DOCUMENT + "sent_folder: No such folder\n")
    letter = Message(to=(ADA.username,), subject="No copy", text="ok\n")
    sent = mailer.send(letter, connector="support")
    assert sent.copy.status is CopyStatus.FAILED
    assert "No such folder" in sent.copy.sentence
    assert mailboxes.one(ADA, "INBOX", sent.message_id)


def test_the_mail_is_sent_even_if_the_mailbox_password_is_wrong(
    workplace: Workplace, mailboxes: Mailboxes, apply: Callable[..., None]
) -> None:
    apply()
    environ = {**workplace.environ, PAYROLL.variable: "not this one"}
    letter = Message(to=(ADA.username,), subject="Payslip", text="ok\n")
    with Mailer.open(
        config=workplace.folder / "connectors.d", environ=environ, copies_in_background=False
    ) as mailer:
        sent = mailer.send(letter, connector="payroll")
    assert sent.copy.status is CopyStatus.FAILED
    assert environ[PAYROLL.variable] not in repr(sent)
    assert mailboxes.one(ADA, "INBOX", sent.message_id)
