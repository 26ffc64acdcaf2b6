from __future__ import annotations

import smtplib
import time
from email.message import EmailMessage
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.model.connector import Connector, MailServer, Security
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable

    from imapclient import IMAPClient

SUPPORT, INFO = "support@corp.example", "info@corp.example"


def message(sender: str = SUPPORT, to: str = INFO, subject: str = "Hello") -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = f"Somebody <{sender}>"
    mail["To"] = to
    mail["Subject"] = subject
    mail.set_content("Grüße aus dem Sandkasten")
    return mail


def mails(client: IMAPClient, folder: str) -> list[tuple[bytes, tuple[bytes, ...]]]:
    """All mails in a folder with their flags."""
    client.select_folder(folder, readonly=True)
    found = client.fetch(client.search(), ["BODY.PEEK[]", "FLAGS"])
    return [(item[b"BODY[]"], item[b"FLAGS"]) for item in found.values()]


def test_a_sent_mail_arrives_in_the_inbox_with_its_envelope(
    sandbox: Callable[..., Any], connector: Callable[..., Connector]
) -> None:
    support, info = connector("support"), connector("info", Security.STARTTLS)
    with sandbox(support, info) as clients:
        clients.signed_in_smtp(support).send_message(message(to="Info@CORP.example"))
        ((content, flags),) = mails(clients.signed_in_imap(info), "INBOX")
        assert content.startswith(
            b"Return-Path: <support@corp.example>\r\nDelivered-To: Info@CORP.example\r\nFrom:"
        )
        assert b"Subject: Hello\r\n" in content
        assert rb"\Seen" not in flags
        assert mails(clients.signed_in_imap(support), "INBOX") == []
        assert clients.session.journal.delivered == 1


def test_an_open_mailbox_is_notified_of_new_mail(
    sandbox: Callable[..., Any], connector: Callable[..., Connector]
) -> None:
    support = connector("support")
    with sandbox(support) as clients:
        imap = clients.signed_in_imap(support)
        imap.select_folder("INBOX")
        imap.idle()
        clients.signed_in_smtp(support).send_message(message(to=SUPPORT))
        heard: list[object] = []
        deadline = time.monotonic() + 20
        while (1, b"EXISTS") not in heard:
            assert time.monotonic() < deadline
            heard += imap.idle_check(timeout=1)
        imap.idle_done()
        assert imap.search(["SUBJECT", "Hello"])


def test_mail_to_the_world_outside_is_accepted_kept_and_counted(
    sandbox: Callable[..., Any], connector: Callable[..., Connector]
) -> None:
    support, info = connector("support"), connector("info")
    with sandbox(support, info) as clients:
        everybody = ["customer@outside.example", INFO, "Customer@Outside.example"]
        assert clients.signed_in_smtp(support).send_message(message(), to_addrs=everybody) == {}
        assert len(mails(clients.signed_in_imap(info), "INBOX")) == 1
        session = clients.session
    (stray,) = session.journal.strays
    assert (stray.sender, stray.recipient) == (SUPPORT, "Customer@Outside.example")
    assert b"Subject: Hello" in stray.content
    assert session.journal.delivered == 1


@pytest.mark.parametrize("security", list(Security))
def test_no_mail_is_accepted_without_a_sign_in(
    security: Security, sandbox: Callable[..., Any], connector: Callable[..., Connector]
) -> None:
    with sandbox(connector("support", security)) as clients:
        with pytest.raises(smtplib.SMTPSenderRefused) as raised:
            clients.smtp("support").send_message(message(to=SUPPORT))
        assert raised.value.smtp_code == 530


def test_the_address_of_another_account_may_not_be_used_in_the_envelope(
    sandbox: Callable[..., Any], connector: Callable[..., Connector]
) -> None:
    support, info = connector("support"), connector("info")
    with sandbox(support, info) as clients:
        with pytest.raises(smtplib.SMTPSenderRefused) as raised:
            clients.signed_in_smtp(support).send_message(message(sender=INFO))
        assert raised.value.smtp_code == 550
        assert "5.7.60" in str(raised.value.smtp_error)


def test_the_address_of_another_account_may_not_be_used_in_the_header(
    sandbox: Callable[..., Any], connector: Callable[..., Connector]
) -> None:
    support, info = connector("support"), connector("info")
    with sandbox(support, info) as clients:
        with pytest.raises(smtplib.SMTPDataError) as raised:
            clients.signed_in_smtp(support).send_message(message(sender=INFO), from_addr=SUPPORT)
        assert raised.value.smtp_code == 550
        assert mails(clients.signed_in_imap(info), "INBOX") == []


def test_a_server_that_files_sent_copies_files_one(
    sandbox: Callable[..., Any], connector: Callable[..., Connector]
) -> None:
    support = connector("support", files_sent_copies=True)
    with sandbox(support) as clients:
        clients.signed_in_smtp(support).send_message(message())
        ((content, flags),) = mails(clients.signed_in_imap(support), "Sent")
        assert content.startswith(b"From: Somebody")
        assert rb"\Seen" in flags


def test_a_server_that_files_no_copies_files_none(
    sandbox: Callable[..., Any], connector: Callable[..., Connector]
) -> None:
    support = connector("support", files_sent_copies=False)
    with sandbox(support) as clients:
        clients.signed_in_smtp(support).send_message(message())
        assert mails(clients.signed_in_imap(support), "Sent") == []


def test_copies_go_to_the_sent_folder_of_the_connector(
    sandbox: Callable[..., Any], connector: Callable[..., Connector]
) -> None:
    support = connector("support", files_sent_copies=True, sent_folder="Gesendet/Büro")
    with sandbox(support) as clients:
        imap = clients.signed_in_imap(support)
        imap.delete_folder("Gesendet/Büro")
        clients.signed_in_smtp(support).send_message(message())
        assert len(mails(imap, "Gesendet/Büro")) == 1


def test_folders_say_what_they_are_for(
    sandbox: Callable[..., Any], connector: Callable[..., Connector]
) -> None:
    support = connector("support")
    with sandbox(support) as clients:
        folders = clients.signed_in_imap(support).list_folders()
        assert {name: flags[1:] for flags, _, name in folders} == {
            "INBOX": (),
            "Sent": (rb"\Sent",),
            "Drafts": (rb"\Drafts",),
            "Trash": (rb"\Trash",),
        }


def test_a_client_can_file_a_mail_itself(
    sandbox: Callable[..., Any], connector: Callable[..., Connector]
) -> None:
    support = connector("support")
    with sandbox(support) as clients:
        imap = clients.signed_in_imap(support)
        imap.append("Sent", message().as_bytes(), [rb"\Seen"])
        ((content, flags),) = mails(imap, "Sent")
        assert b"Subject: Hello" in content
        assert rb"\Seen" in flags


def test_separate_credentials_and_a_local_part_for_a_user_lead_to_one_mailbox(
    sandbox: Callable[..., Any], server: Callable[..., MailServer]
) -> None:
    address = "payroll@corp.example"
    payroll = Connector(
        name="payroll",
        display_name="Payroll",
        imap=server("mail.corp.example", 993, Security.IMPLICIT, "payroll", "env:READ"),
        smtp=server("relay.corp.example", 587, Security.STARTTLS, "relay-7", "env:SEND"),
        enable_mail_send_from=True,
        email_address=address,
        files_sent_copies=True,
    )
    with sandbox(payroll) as clients:
        clients.signed_in_smtp(payroll).send_message(message(sender=address, to=address))
        imap = clients.signed_in_imap(payroll)
        assert len(mails(imap, "INBOX")) == 1
        assert len(mails(imap, "Sent")) == 1


def test_mail_to_non_ascii_addresses_is_delivered(
    sandbox: Callable[..., Any], connector: Callable[..., Connector]
) -> None:
    address = "grüße@bücher.example"
    support = replace(connector("support"), email_address=address)
    with sandbox(support) as clients:
        smtp = clients.signed_in_smtp(support)
        mail = message(sender="grüße@xn--bcher-kva.example", to=address)
        smtp.send_message(mail)
        ((content, _),) = mails(clients.signed_in_imap(support), "INBOX")
        assert f"Delivered-To: {address}\r\n".encode() in content


def test_a_mail_without_from_and_with_long_lines_and_leading_dots_is_kept_as_it_is(
    sandbox: Callable[..., Any], connector: Callable[..., Connector]
) -> None:
    support = connector("support")
    content = b"Subject: raw\r\n\r\n.\r\n..\r\n" + b"x" * 990 + b"\r\n\xff\xfe\r\n"
    with sandbox(support) as clients:
        clients.signed_in_smtp(support).sendmail(SUPPORT, [SUPPORT], content, ["body=8bitmime"])
        ((received, _),) = mails(clients.signed_in_imap(support), "INBOX")
        assert received.endswith(content)


def test_a_mail_that_is_larger_than_advertised_is_refused(
    sandbox: Callable[..., Any], connector: Callable[..., Connector]
) -> None:
    support = connector("support")
    with sandbox(support) as clients:
        smtp = clients.signed_in_smtp(support)
        size = int(smtp.esmtp_features["size"])
        assert smtp.mail(SUPPORT, [f"size={size + 1}"])[0] == 552
        assert smtp.mail(SUPPORT, [f"size={size}"])[0] == 250


def test_a_mail_with_a_line_that_is_too_long_is_refused(
    sandbox: Callable[..., Any], connector: Callable[..., Connector]
) -> None:
    support = connector("support")
    with sandbox(support) as clients:
        with pytest.raises(smtplib.SMTPDataError, match="Line too long"):
            clients.signed_in_smtp(support).sendmail(SUPPORT, [SUPPORT], b"x" * 1001)
        assert mails(clients.signed_in_imap(support), "INBOX") == []
