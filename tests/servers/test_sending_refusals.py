"""Mail that Postfix refuses for some or all recipients, and mail that is not even tried."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler import Attachment, Mailer, Message
from reconciler.errors import NotAuthorised, RouteRefused, SendFailed
from reconciler.values import replace
from tests.servers.accounts import (
    ADA,
    ARCHIVE,
    FULL,
    INFO,
)
from tests.servers.mailboxes import compare
from tests.servers.postfix import BUSY, GONE
from tests.servers.workplace import INFO_DOCUMENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers.mailboxes import Mailboxes
    from tests.servers.workplace import Workplace

pytestmark = pytest.mark.server


def test_each_refused_recipient_is_reported_and_the_others_get_the_mail(
    mailer: Mailer, mailboxes: Mailboxes
) -> None:
    letter = Message(
        to=(GONE, ADA.username), cc=(BUSY,), bcc=(FULL.username,), subject="Partly", text="ok\n"
    )
    sent = mailer.send(letter, connector="support")
    assert sent.accepted == (ADA.username,)
    refused = [(item.recipient, item.code, item.status, item.temporary) for item in sent.refused]
    assert refused == [
        (GONE, "550", "5.1.1", False),
        (BUSY, "450", "4.2.1", True),
        (FULL.username, "552", "5.2.2", False),
    ]
    assert "Mailbox is busy" in str(sent.refused[1])
    compare(mailboxes, sent, ADA)


@pytest.mark.parametrize(
    ("recipients", "temporary"), [((BUSY,), True), ((GONE,), False), ((BUSY, GONE), False)]
)
def test_a_mail_that_nobody_accepts_fails_and_the_next_is_sent(
    mailer: Mailer, mailboxes: Mailboxes, recipients: tuple[str, ...], temporary: bool
) -> None:
    letter = Message(to=recipients, subject="Nobody", text="ok\n")
    with pytest.raises(SendFailed) as caught:
        mailer.send(letter, connector="support")
    assert caught.value.temporary is temporary
    assert all(address in caught.value.message for address in recipients)
    compare(mailboxes, mailer.send(replace(letter, to=(ADA.username,)), connector="support"), ADA)


def test_a_mail_that_is_too_large_is_refused_before_its_text(
    mailer: Mailer, mailboxes: Mailboxes
) -> None:
    huge = Attachment("huge.bin", b"x" * 25_000_000)
    letter = Message(to=(ADA.username,), subject="Huge", text="ok\n", attachments=(huge,))
    with pytest.raises(SendFailed, match="MB at most") as caught:
        mailer.send(letter, connector="support")
    assert not caught.value.temporary
    compare(mailboxes, mailer.send(replace(letter, attachments=()), connector="support"), ADA)


@pytest.mark.parametrize("name", ["nobody", "archive", "draft"])
def test_an_unknown_connector_or_one_that_cannot_send_is_refused(
    mailer: Mailer, apply: Callable[..., None], name: str
) -> None:
    reading, _, _ = INFO_DOCUMENT.partition("enable_mail_send_from")
    apply(
        reading.replace("info", "archive").replace(INFO.variable, ARCHIVE.variable),
        "kind: EmailConnector\nname: draft\ndraft: true\nenable_mail_send_from: true\n",
    )
    letter = Message(to=(ADA.username,), subject="x", text="x")
    with pytest.raises(RouteRefused, match=name):
        mailer.send(letter, connector=name)


def test_only_its_users_send_through_a_connector(
    mailer: Mailer, apply: Callable[..., None]
) -> None:
    apply(
        "kind: Group\nname: inner\nmembers: {users: [ada@contoso.example]}\n",
        "kind: Group\nname: outer\nmembers: {groups: [inner]}\n",
        "kind: Permissions\nconnector: support\nusers: {groups: [outer]}\n",
    )
    letter = Message(to=(ADA.username,), subject="x", text="x")
    assert mailer.send(letter, connector="support", actor="ada@contoso.example").accepted
    with pytest.raises(NotAuthorised):
        mailer.send(letter, connector="support", actor="eve@contoso.example")


@pytest.mark.parametrize(
    ("recipients", "status"),
    [((ADA.username,), 0), ((GONE, ADA.username, BUSY), 10), ((BUSY,), 75), ((GONE, BUSY), 1)],
)
def test_the_exit_code_tells_a_caller_whether_to_retry(
    workplace: Workplace, apply: Callable[..., None], recipients: tuple[str, ...], status: int
) -> None:
    apply()
    letter = ("--connector", "support", "--subject", "x", "--text", "x", "--save-sent", "never")
    done = workplace("send", *letter, *(f"--to={recipient}" for recipient in recipients))
    assert done.status == status, done.said
    for recipient in recipients:
        assert f"{recipient}: 550 5.1.1 " in done.said or recipient != GONE
        assert f"{recipient}: 450 4.2.1 " in done.said or recipient != BUSY
