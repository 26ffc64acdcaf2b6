"""The arguments of sendmail as its callers really pass them, and what happens to their mails."""

from __future__ import annotations

import io

import pytest

from reconciler.errors import NoSuchUser, UsageError
from reconciler.sending.raw import asked_of
from reconciler.sending.sendmail import Call, mail_of, parse, until_dot

ADA = "ada@example.com"
MAIL = b"From: info@contoso.example\nTo: ada@example.com\nBcc: bob@example.com\nSubject: x\n\nHi\n"


@pytest.mark.parametrize(
    ("caller", "line", "call"),
    [
        ("php.ini", "-t -i", Call(from_fields=True, dot_ends=False)),
        (
            "php's mail() with a fifth parameter",
            "-t -i -fweb@contoso.example",
            Call(from_fields=True, dot_ends=False, sender="web@contoso.example"),
        ),
        (
            "git send-email",
            "-f dev@contoso.example -i ada@example.com bob@example.com",
            Call((ADA, "bob@example.com"), dot_ends=False, sender="dev@contoso.example"),
        ),
        (
            "cronie",
            "-FCronDaemon -i -odi -oem -oi -t -f root",
            Call(from_fields=True, dot_ends=False, sender="root", name="CronDaemon"),
        ),
        (
            "Debian's cron",
            "-i -FCronDaemon -B8BITMIME -oem ada@example.com",
            Call((ADA,), dot_ends=False, name="CronDaemon"),
        ),
        ("bsd-mailx", "-i -t", Call(from_fields=True, dot_ends=False)),
        (
            "s-nail",
            "-i -r dev@contoso.example -- ada@example.com",
            Call((ADA,), dot_ends=False, sender="dev@contoso.example"),
        ),
        (
            "mutt",
            "-oem -oi -f dev@contoso.example -N failure,delay -R hdrs -- ada@example.com",
            Call((ADA,), dot_ends=False, sender="dev@contoso.example"),
        ),
        ("at, smartd and others", "ada@example.com", Call((ADA,))),
        ("options in one word", "-ti", Call(from_fields=True, dot_ends=False)),
        (
            "addresses that look like options",
            "-i -- -t@x.example -bs",
            Call(("-t@x.example", "-bs"), dot_ends=False),
        ),
        ("options after recipients", "ada@example.com -v", Call((ADA,), verbose=True)),
        (
            "what means nothing here",
            "-Am -bm -G -h 3 -L tag -n -U -V id -X log -O a=b -p ESMTP ada@example.com",
            Call((ADA,)),
        ),
        ("a bounce", "-f <> ada@example.com", Call((ADA,))),
    ],
)
def test_arguments_of_common_callers_are_parsed(caller: str, line: str, call: Call) -> None:
    assert parse(line.split()) == call, caller


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "no recipient"),
        ("-i", "no recipient"),
        ("-bs", "SMTP on standard input"),
        ("-bd -q15m", "no daemon"),
        ("-bp", "no queue"),
        ("-q", "there is no queue"),
        ("-q15m ada@example.com", "no queue"),
        ("-bt", "unknown"),
        ("-I", "no aliases"),
        ("-Z ada@example.com", "-Z"),
        ("-f", "requires argument"),
    ],
)
def test_unsupported_options_are_rejected_with_a_reason(line: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parse(line.split())


@pytest.mark.parametrize("end", [b".\nb\n", b".\r\nb\n", b"."])
def test_a_lone_dot_ends_the_mail(end: bytes) -> None:
    assert until_dot(io.BytesIO(b"a\n..\n. \n" + end)) == b"a\n..\n. \n"


def test_recipients_of_the_fields_join_those_of_the_arguments() -> None:
    assert mail_of(Call((ADA,)), MAIL).recipients == (ADA,)
    both = mail_of(Call(("eve@example.com", ADA), from_fields=True), MAIL)
    assert both.recipients == ("eve@example.com", ADA, "bob@example.com")


@pytest.mark.parametrize("call", [Call(("root",)), Call(from_fields=True)])
def test_a_local_mailbox_is_an_unknown_recipient(call: Call) -> None:
    with pytest.raises(NoSuchUser, match="root is a mailbox of this machine") as caught:
        mail_of(call, b"From: root\nTo: root\n\nx\n")
    assert "MAILTO" in caught.value.hint


@pytest.mark.parametrize(
    ("content", "call", "sender"),
    [
        (MAIL, Call((ADA,), sender="other@contoso.example"), "info@contoso.example"),
        (b"Subject: x\n\nHi\n", Call((ADA,), sender="web@contoso.example"), "web@contoso.example"),
        (b"From: root (Cron)\n\nHi\n", Call((ADA,), sender="root"), None),
        (b"From: root\n\nHi\n", Call((ADA,), sender="web@contoso.example"), "web@contoso.example"),
        (b"just words\n", Call((ADA,)), None),
        (b"", Call((ADA,)), None),
    ],
)
def test_the_mail_says_who_it_is_from_or_else_the_arguments(
    content: bytes, call: Call, sender: str | None
) -> None:
    assert asked_of(mail_of(call, content))[0] == sender


def test_the_name_belongs_to_the_sender() -> None:
    mail = mail_of(
        Call((ADA,), sender="web@contoso.example", name='Web, "Team"'), b"Subject: b\n\nHi\n"
    )
    assert mail.content.startswith(
        b'From: "Web, \\"Team\\"" <web@contoso.example>\r\nSubject: b\r\n'
    )


@pytest.mark.parametrize(
    "call",
    [
        Call((ADA,), sender="web@contoso.example", name="x\nBcc: eve@example.com"),
        Call((ADA,), sender="web@contoso.example\nBcc: eve@example.com"),
    ],
)
def test_no_argument_becomes_a_header_field(call: Call) -> None:
    with pytest.raises(UsageError):
        mail_of(call, b"Subject: x\n\nHi\n")


@pytest.mark.parametrize(
    ("content", "head", "text"),
    [
        (b"Disk: full\n", "", b"Disk: full\n"),
        (b"Hello: not a header? yes\nplain body\n", "", b"Hello: not a header? yes\nplain body\n"),
        (b"Note: a\n\nb\n", "", b"Note: a\n\nb\n"),
        (b"Subject: x\nBroken header line\nmore\n", "Subject: x", b"Broken header line\nmore\n"),
        (b"Subject: x\n y\n\nText: z\n", "Subject: x\n y", b"Text: z\n"),
        (b"Subject: x\r\nTo: a@x.example\r\n\r\nz\r\n", "Subject: x\nTo: a@x.example", b"z\n"),
        (b"From me Mon\nSubject: x\n\nz\n", "From me Mon\nSubject: x", b"z\n"),
        (b"X-Mine: 1\n\nz", "X-Mine: 1", b"z\n"),
        (b"Subject: x", "Subject: x", b""),
        (b"", "", b""),
    ],
)
def test_no_text_is_lost_whatever_its_first_lines_look_like(
    content: bytes, head: str, text: bytes
) -> None:
    written, _, body = mail_of(Call((ADA,)), content).content.partition(b"\r\n\r\n")
    assert body.replace(b"\r\n", b"\n") == text
    assert (head.encode().replace(b"\n", b"\r\n").removeprefix(b"From me Mon\r\n")) in written


def test_text_without_fields_is_the_text_of_a_mail() -> None:
    content = mail_of(Call((ADA,)), b"hello\nworld\n").content
    assert content == b"To: undisclosed-recipients:;\r\n\r\nhello\r\nworld\r\n"
