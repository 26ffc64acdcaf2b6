"""Complete mails that machines mangled: repaired or refused, and a hidden recipient stays hidden."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from itertools import product
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler import RawMessage
from reconciler.errors import UsageError
from reconciler.model.connector import Connector
from reconciler.routing.reason import Reason
from reconciler.routing.request import Route
from reconciler.sending.message import Stamp
from reconciler.sending.raw import adopt, asked_of
from reconciler.sending.sendmail import Call, mail_of
from tests.hostile.conftest import ADDRESS
from tests.hostile.scripts import QUEUED, smtp

if TYPE_CHECKING:
    from email.message import Message as ParsedMail

    from reconciler.sending.message import Prepared
    from tests.hostile.conftest import Open

CONNECTOR: Final = Connector(
    name="support", display_name="Support", enable_mail_send_from=True, email_address=ADDRESS
)
ROUTE: Final = Route(
    connector="support",
    from_address=ADDRESS,
    reply_to=None,
    original_from=None,
    save_to_sent_items=None,
    reason=Reason.NAMED,
    steps=(),
)
STAMP: Final = Stamp("0123456789abcdef", datetime(2026, 11, 27, 2, 30, tzinfo=UTC))
FROM: Final = f"From: {ADDRESS}\n".encode()
HIDDEN: Final = b"eve@hidden.example"


def as_raw(content: bytes) -> Prepared:
    message = RawMessage(content)
    asked_of(message)
    return adopt(message, ROUTE, CONNECTOR, STAMP)


def as_sendmail(content: bytes) -> Prepared:
    return adopt(mail_of(Call(from_fields=True), content), ROUTE, CONNECTOR, STAMP)


def as_sendmail_to(content: bytes) -> Prepared:
    return adopt(mail_of(Call(("ada@x.example",)), content), ROUTE, CONNECTOR, STAMP)


WAYS: Final = (as_raw, as_sendmail, as_sendmail_to)
Way = Callable[[bytes], "Prepared"]

MARKS: Final = (
    b"", b"\xef\xbb\xbf", b"\xef\xbb\xbf\xef\xbb\xbf", b"\xe2\x80\x8b", b"\xc3\xaf\xc2\xbb\xc2\xbf",
    b"From root Fri Nov 27 02:30:00 2026\n", b"From - Fri Nov 27 02:30:00 2026\r\n",
    b">From root Fri Nov 27\n", b"From root Fri Nov 27\n\xef\xbb\xbf", b"\xef\xbb\xbfFrom root Fri\n",
)  # fmt: skip
ENDS: Final = (b"\n", b"\r\n", b"\r\r\n", b"\r")
BCCS: Final = (
    b"Bcc: eve@hidden.example\n", b"bCC:eve@hidden.example\n", b"BCC \t: eve@hidden.example\n",
    b"Bcc:\n eve@hidden.example\n", b"Bcc: Eve\n\t<eve@hidden.example>\n",
    b"Bcc: bob@x.example,\n  \n eve@hidden.example\n", b"Bcc: bob@x.example, eve@hidden.example\n",
    "Bcc: Eva Größe <eve@hidden.example>\n".encode("latin-1"),
    b"Bcc: one@x.example\nBcc: eve@hidden.example\n",
    "Ｂcc: eve@hidden.example\n".encode(),  # noqa: RUF001 - a letter of another width
    b"Bcc\xa0: eve@hidden.example\n", b"\xef\xbb\xbfBcc: eve@hidden.example\n",
)  # fmt: skip
SUBJECTS: Final = ("Rechnung für Größe", "漢字 und so", "naïve café", "plain", "Ünïcödé " * 20)


def head_of(content: bytes) -> bytes:
    return content.partition(b"\r\n\r\n")[0]


def with_ends(text: bytes, end: bytes) -> bytes:
    return text.replace(b"\r\n", b"\n").replace(b"\n", end)


def parsed(mail: Prepared) -> ParsedMail:
    return message_from_bytes(mail.content)


def shown(text: object) -> str:
    return " ".join(str(make_header(decode_header(str(text)))).split())


@st.composite
def mangled(draw: st.DrawFn) -> bytes:
    """A mail whose only hidden recipient is eve, mangled in one or several ways."""
    subject = draw(st.sampled_from(SUBJECTS))
    charset = draw(st.sampled_from(("utf-8", "latin-1", "cp1252")))
    lines = [
        FROM, b"To: ada@x.example\n", draw(st.sampled_from(BCCS)),
        b"Subject: " + subject.encode(charset, "ignore") + b"\n",
        draw(st.sampled_from((b"", b"X-Note: \x85\x0b\n", b"no field\n", b" \n", b"X: y\rBcc: z@z\n"))),
    ]  # fmt: skip
    lines = draw(st.permutations(lines))
    ends = draw(st.one_of(st.sampled_from([(end,) for end in ENDS]), st.just(ENDS)))
    text = b"".join(lines) + draw(st.sampled_from((b"\n", b"\n\n"))) + b"Hello.\n"
    text = re.sub(rb"\n", lambda _: draw(st.sampled_from(ends)), text)
    cut = draw(st.integers(0, len(text)))
    if draw(st.booleans()):
        text = text[:cut] + draw(st.sampled_from((b"\r", b"\n", b"\t", b"\xff", b" "))) + text[cut:]
    return draw(st.sampled_from(MARKS)) + text


@given(mangled(), st.sampled_from(WAYS))
def test_a_mangled_mail_is_repaired_or_refused(content: bytes, way: Way) -> None:
    try:
        mail = way(content)
    except UsageError as error:
        assert "\n" not in error.message  # noqa: PT017 - a refusal is as good as a mail
        return
    bare = mail.content.replace(b"\r\n", b"")
    assert b"\r" not in bare
    assert b"\n" not in bare
    assert head_of(mail.content).isascii()
    assert not mail.envelope.utf8
    assert HIDDEN.split(b"@")[1] not in head_of(mail.content)
    names = {name.lower() for name in parsed(mail)}
    assert "bcc" not in names
    if b"Subject" in head_of(mail.content):  # else the mail was cut there, and is text
        assert parsed(mail)["From"] in (ADDRESS, f"Support <{ADDRESS}>")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("bcc", BCCS)
def test_a_hidden_recipient_is_never_seen(way: Way, bcc: bytes) -> None:
    lines = FROM + b"To: ada@x.example\n" + bcc + b"Subject: x\n\nHello.\n"
    first = bcc + FROM + b"To: ada@x.example\nSubject: x\n\nHello.\n"
    for mark, end, text in product(MARKS, ENDS, (lines, first)):
        try:
            mail = way(with_ends(mark + text, end))
        except UsageError:
            continue
        assert HIDDEN not in mail.content
        if way is not as_sendmail_to:
            assert HIDDEN.decode() in mail.envelope.recipients


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("charset", ["utf-8", "latin-1"])
def test_what_can_be_repaired_is_repaired(way: Way, charset: str) -> None:
    for mark, end, subject in product(MARKS, ENDS, SUBJECTS):
        known = subject.encode(charset, "ignore").decode(charset)
        text = f"{FROM.decode()}To: Ada Größe <ada@x.example>\nSubject: {known}\n\nHello.\n"
        mail = way(with_ends(mark + text.encode(charset), end))
        assert shown(parsed(mail)["Subject"]) == " ".join(known.split())
        assert shown(parsed(mail)["To"]) == "Ada Größe <ada@x.example>"
        assert mail.envelope.recipients == ("ada@x.example",)
        assert not mail.envelope.utf8
        assert parsed(mail).get_payload() == "Hello.\r\n"


@pytest.mark.parametrize(
    ("charset", "subject"),
    [("koi8-r", "Счёт"), ("iso-8859-2", "Zażółć gęślą"), ("shift_jis", "請求書"), ("iso2022_jp", "請求書"),
     ("gb18030", "发票")],
)  # fmt: skip
def test_the_charset_of_the_text_is_that_of_the_subject(charset: str, subject: str) -> None:
    head = FROM + b"To: ada@x.example\nSubject: " + subject.encode(charset) + b"\n"
    mail = as_raw(head + f"Content-Type: text/plain; charset={charset}\n\nx\n".encode())
    assert shown(parsed(mail)["Subject"]) == subject


@pytest.mark.parametrize(
    "charset", ["utf-7", "unicode_escape", "punycode", "hex", "utf-16", "no-such", "idna"]
)
def test_a_charset_that_would_make_fields_of_ascii_is_not_followed(charset: str) -> None:
    subject = b"Subject: \xff +AAo-Bcc: \\nBcc: eve\n"
    mail = as_raw(
        FROM
        + b"To: ada@x.example\n"
        + subject
        + f"Content-Type: text/plain; charset={charset}\n\nx\n".encode()
    )
    assert shown(parsed(mail)["Subject"]) == "ÿ +AAo-Bcc: \\nBcc: eve"


def test_encoded_words_beside_raw_ones_are_decoded_once() -> None:
    field = "Subject: =?utf-8?q?Gr=C3=B6=C3=9Fe?= und Größe =?utf-8?q?=0ABcc=3A_eve?=\n"
    mail = as_raw(FROM + b"To: ada@x.example\n" + field.encode() + b"\nx\n")
    assert shown(parsed(mail)["Subject"]) == "Größe und Größe Bcc: eve"
    assert parsed(mail)["Bcc"] is None


def test_the_name_of_a_file_is_encoded_as_a_parameter() -> None:
    head = 'Content-Type: application/pdf; name="größe.pdf"\nContent-Disposition: attachment; filename=größe.pdf\n'
    mail = as_raw(FROM + b"To: ada@x.example\n" + head.encode("latin-1") + b"\nx\n")
    assert parsed(mail).get_filename() == "größe.pdf"
    assert mail.content.isascii()


@pytest.mark.parametrize(
    ("recipient", "needed"),
    [
        ("Größe <ada@x.example>", False),
        ("ada@größe.example", False),
        ("Größe <ada@größe.example>", False),
        ("jürgen@x.example", True),
        ("=?utf-8?q?J=C3=BC?= <ada@x.example>", False),
    ],
)
def test_smtputf8_is_needed_only_for_an_address(recipient: str, *, needed: bool) -> None:
    field = f"To: {recipient}\nSubject: Größe\n\nGröße\n".encode()
    for way in (as_raw, as_sendmail):
        assert way(FROM + field).envelope.utf8 is needed


@pytest.mark.parametrize(
    "author",
    [
        "s@hostile.ex\tample", "<s@hostile.ex\tample>", "s@hostile.ex ample", "s @hostile.example",
        '"s@hostile.example" <s@hostile.ex\tample>', "(s@hostile.example) s@hostile.ex\tample",
        "s@hostile(x).example", "s@hostile.ex\n ample", "s@hostile.ex\x0bample", "s@hostile.ex\x85ample",
    ],
)  # fmt: skip
def test_an_address_that_is_broken_over_lines_is_refused(author: str) -> None:
    mail = f"From: {author}\nTo: ada@x.example\n\nx\n".encode()
    with pytest.raises(UsageError, match=r"address|control"):
        as_raw(mail)
    with pytest.raises(UsageError, match=r"address|control"):
        as_sendmail(mail)


@pytest.mark.parametrize(
    "content",
    [
        FROM + b"To: ada@x.example\rSubject: x\n\nx\n",
        FROM + b"To: ada@x.example\nSubject: x\r\ry\n\nx\n",
        "\ufeff".encode("utf-16-le") + (FROM + b"To: ada@x.example\n\nx").decode().encode("utf-16-le"),
        FROM + b"To: ada@x.example\nMessage-ID: <gr\xf6\xdfe@x>\n\nx\n",
        FROM + b"To: M\xfcller, Eva <ada@x.example>\n\nx\n",
        FROM + b"To: ada@x.example\nX: \0\n\nx\n",
        FROM + b"To: ada@x.example\nContent-Type: multipart/mixed; boundary=gr\xf6\xdfe\n\n--gr\xf6\xdfe--\n",
    ],
    ids=["cr for lf", "cr in a field", "utf-16", "message-id", "comma", "nul", "boundary"],
)  # fmt: skip
def test_what_can_be_read_in_two_ways_is_refused(content: bytes) -> None:
    for way in (as_raw, as_sendmail):
        with pytest.raises(UsageError):
            way(content)


def test_a_field_below_an_invalid_line_does_not_reveal_a_hidden_recipient() -> None:
    broken = FROM + b"To: ada@x.example\nno field\nBcc: eve@hidden.example\nSubject: x\n\nx\n"
    for way in WAYS:
        with pytest.raises(UsageError):
            way(broken)
    for comment in (b"Bcc (x): eve@hidden.example\n", b"no field\nBcc (x): eve@hidden.example\n"):
        with pytest.raises(UsageError):
            as_sendmail(FROM + b"To: ada@x.example\n" + comment + b"\nx\n")
    text = b"Report of the night:\n\nBcc: 3 mails were hidden\n"
    assert b"Bcc: 3" in as_sendmail_to(text).content


def test_a_server_without_smtputf8_takes_a_mail_with_eight_bit_fields(opened: Open) -> None:
    office = opened(smtp(DATA=QUEUED))
    text = f"From: {ADDRESS}\nTo: Jürgen <ada@x.example>\nBcc: eve@hidden.example\nSubject: Größe\n\nHello.\n"
    office.send(RawMessage(text.encode("latin-1")))
    (mail,) = office.server.commands("MAIL")
    assert "SMTPUTF8" not in mail
    assert "RCPT TO:<eve@hidden.example>" in office.server.lines
    assert not [
        line for line in office.server.lines if "eve@" in line and not line.startswith("RCPT")
    ]
