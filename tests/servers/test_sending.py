"""Mail sent through Postfix, and what Dovecot then holds in the inbox and in Sent."""

from __future__ import annotations

import base64
from email.headerregistry import Address
from typing import TYPE_CHECKING, Final

import pytest

from reconciler import Attachment, Mailer, Message, RawMessage
from reconciler.values import replace
from tests.servers.accounts import (
    ADA,
    BOB,
    READERS,
    SENT,
    SUPPORT,
)
from tests.servers.mailboxes import compare, decoded, on_its_way, parsed, people, text_of
from tests.servers.postfix import UTF8

if TYPE_CHECKING:
    from tests.servers.mailboxes import Mailboxes
    from tests.servers.postfix import Postfix

pytestmark = pytest.mark.server

PIXEL: Final = base64.b64decode(
    b"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)

LETTERS: Final = {
    "an emoji in the subject": Message(
        subject="🎉 Größe 漢字 " + "und so weiter " * 12, text="ok\n"
    ),
    "text from right to left": Message(
        subject="שלום",
        text="\u200fשלום, Ada!\nשלום\n",  # noqa: RUF001 - Hebrew
        from_name="תמיכה",
    ),
    "lines of dots": Message(subject="Dots", text=".\n..\n...\n.hidden\n\n.\n"),
    "lines that begin with From": Message(subject="From", text="From here\n>From there\n"),
    "a very long line": Message(subject="Long", text="long " * 3000 + "\n"),
    "a long word beyond ASCII": Message(subject="ü" * 300, text="ü" * 5000 + "\n"),
    "blanks at the ends of lines": Message(subject="Blanks", text="a  \n\t\n b \n-- \nAda\n"),
    "an empty text": Message(subject="Empty", text=""),
}


@pytest.mark.parametrize("name", LETTERS)
def test_a_difficult_mail_reaches_inbox_and_sent_unchanged(
    mailer: Mailer, mailboxes: Mailboxes, name: str
) -> None:
    letter = replace(LETTERS[name], to=(ADA.username,))
    sent = mailer.send(letter, connector="support")
    mail = compare(mailboxes, sent, ADA)
    assert decoded(mail, "Subject") == " ".join(letter.subject.split())
    assert text_of(mail) == (letter.text or "\n")
    assert people(mail, "From") == [(letter.from_name or "Support mailbox", SUPPORT.username)]
    assert max(map(len, mail.split(b"\r\n"))) <= 998


def test_names_with_a_comma_and_quotes_arrive(mailer: Mailer, mailboxes: Mailboxes) -> None:
    names = ['Lovelace, "Ada" (Countess)', "Ærøskøbing; Søn & 🎉", "back\\slash@home"]
    everybody = [
        Address(name, addr_spec=account.username)
        for name, account in zip(names, READERS, strict=False)
    ]
    letter = Message(to=tuple(map(str, everybody)), subject="Names", text="ok\n")
    sent = mailer.send(letter, connector="support")
    for account in READERS[:3]:
        mail = compare(mailboxes, sent, account)
        assert people(mail, "To") == [(item.display_name, item.addr_spec) for item in everybody]


def test_a_non_ascii_address_is_sent_with_smtputf8(mailer: Mailer, postfix: Postfix) -> None:
    letter = Message(to=(f"Jürgen <{UTF8}>",), subject="UTF-8", text="ok\n")
    sent = mailer.send(letter, connector="support")
    assert sent.accepted == (UTF8,)
    (path,) = postfix.filed()
    mail = path.read_bytes()
    assert f"\nDelivered-To: {UTF8}\n".encode() in mail
    assert f" <{UTF8}>\n".encode() in mail.partition(b"\nTo: ")[2]
    assert b"\n\nok\n" in mail


def test_twenty_recipients_get_one_mail_each_and_none_sees_the_bcc(
    mailer: Mailer, mailboxes: Mailboxes
) -> None:
    to, cc, bcc = (
        tuple(account.username for account in part)
        for part in (READERS[:8], READERS[8:14], READERS[14:20])
    )
    letter = Message(to=to, cc=cc, bcc=bcc, subject="Twenty", text="ok\n")
    sent = mailer.send(letter, connector="support")
    assert sent.accepted == (*to, *cc, *bcc)
    for account in READERS[:20]:
        mail = compare(mailboxes, sent, account)
        assert "Bcc" not in parsed(mail)
        assert not [address for address in bcc if address.encode() in mail]
    copy = mailboxes.one(SUPPORT, SENT, sent.message_id)
    assert [spec for _, spec in people(copy, "Bcc")] == list(bcc)


def test_fifteen_megabytes_arrive(mailer: Mailer, mailboxes: Mailboxes) -> None:
    content = bytes(range(256)) * (15_000_000 // 256)
    letter = Message(
        to=(ADA.username,),
        subject="Große Datei",
        text="Im Anhang.\n",
        attachments=(Attachment('Größe, 漢字 & "Co".bin', content),),
    )
    mail = compare(mailboxes, mailer.send(letter, connector="support"), ADA)
    (part,) = parsed(mail).iter_attachments()
    assert part.get_filename() == 'Größe, 漢字 & "Co".bin'
    assert part.get_content() == content


def test_a_nested_mail_arrives_part_by_part(mailer: Mailer, mailboxes: Mailboxes) -> None:
    inner = b"From: eve@x.example\r\nSubject: inner\r\n\r\nForwarded.\r\n"
    letter = Message(
        to=(ADA.username,),
        subject="Nested",
        html="<h1>Grüße</h1><p>Hello <b>Ada</b>,<br>see <img src='cid:pixel' alt='this'>.</p>",
        attachments=(
            Attachment("pixel.png", PIXEL, "image/png", "pixel"),
            Attachment("mail.eml", inner, "message/rfc822"),
            Attachment("data.csv", "ä;b\r\n1;2\r\n".encode(), "text/csv"),
        ),
    )
    mail = compare(mailboxes, mailer.send(letter, connector="support"), ADA)
    kinds = [part.get_content_type() for part in parsed(mail).walk()]
    assert kinds == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "multipart/related",
        "text/html",
        "image/png",
        "message/rfc822",
        "text/plain",
        "text/csv",
    ]
    assert text_of(mail) == "Grüße\n\nHello Ada,\nsee this.\n"
    assert text_of(mail, "html").strip() == letter.html
    payloads = {part.get_filename(): part.get_payload(decode=True) for part in parsed(mail).walk()}
    assert payloads["pixel.png"] == PIXEL
    assert inner in mail
    assert payloads["data.csv"] == "ä;b\r\n1;2\r\n".encode()


def test_a_complete_mail_is_sent_unchanged_except_for_bcc(
    mailer: Mailer, mailboxes: Mailboxes
) -> None:
    body = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    raw = (
        (
            f"From: Cron <{SUPPORT.username}>\nTo: {ADA.username}\nBcc: {BOB.username}\n"
            "Message-ID: <cron-1@contoso.example>\nSubject: nightly\nReceived: from here\n"
        ).encode()
        + body
        + "Größe\n.\nend".encode()
    )
    sent = mailer.send(RawMessage(raw))
    assert sent.message_id == "<cron-1@contoso.example>"
    assert sent.accepted == (ADA.username, BOB.username)
    for account in (ADA, BOB):
        mail = mailboxes.one(account, "INBOX", sent.message_id)
        assert BOB.username.encode() not in on_its_way(mail)
        assert mail.endswith("\r\nGröße\r\n.\r\nend\r\n".encode())
        assert people(mail, "From") == [("Cron", SUPPORT.username)]
    copy = mailboxes.one(SUPPORT, SENT, sent.message_id)
    assert people(copy, "Bcc") == [("", BOB.username)]


def test_many_mails_go_over_one_connection(
    mailer: Mailer, mailboxes: Mailboxes, postfix: Postfix
) -> None:
    before = postfix.log.count(": connect from ")
    letter = Message(to=(ADA.username,), subject="Many", text="ok\n")
    sent = [mailer.send(letter, connector="support") for _ in range(10)]
    assert postfix.log.count(": connect from ") == before + 1
    for item in sent:
        compare(mailboxes, item, ADA)
