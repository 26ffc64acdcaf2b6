"""Whatever a field contains, it arrives unchanged or is refused, and it never becomes another field."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.headerregistry import Address
from email.utils import getaddresses
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reconciler.errors import UsageError
from reconciler.model.connector import Connector
from reconciler.routing.reason import Reason
from reconciler.routing.request import Route
from reconciler.sending.compose import compose
from reconciler.sending.message import Attachment, Message, Stamp
from reconciler.values import replace

if TYPE_CHECKING:
    from email.message import EmailMessage

    from reconciler.sending.message import Prepared

CONNECTOR = Connector(
    name="support",
    display_name="Support mailbox",
    enable_mail_send_from=True,
    email_address="support@contoso.example",
)
ROUTE = Route(
    connector="support",
    from_address="support@contoso.example",
    reply_to=None,
    original_from=None,
    save_to_sent_items=None,
    reason=Reason.NAMED,
    steps=(),
)
STAMP = Stamp("0123456789abcdef", datetime(2026, 11, 25, 6, 30, tzinfo=UTC))
MAIL = Message(to=("ada@x.example",), subject="Hello", text="Hello, Ada.\n")
ALWAYS = {"from", "to", "subject", "date", "message-id", "x-reconciler-id", "mime-version"}

INJECTIONS = (
    "a\r\nBcc: eve@x.example",
    "a\nBcc: eve@x.example",
    "a\rBcc: eve@x.example",
    "a\r\n\r\n<script>",
    "a\u2028Bcc: eve@x.example",
    "a\x85Bcc: eve@x.example",
    "a\x0bBcc: eve@x.example",
    "a\x0cBcc: eve@x.example",
    "a\x1eBcc: eve@x.example",
    "=?utf-8?q?a=0D=0ABcc:_eve@x.example?=",
    "=?utf-8?b?YQ0KQmNjOiBldmVAeC5leGFtcGxl?=",
    '"\r\nBcc: eve@x.example\r\nX: "',
    "a\0b",
    "\ud83d",
)

anything = st.one_of(
    st.sampled_from(INJECTIONS),
    st.text(st.characters(codec=None), max_size=200),
    st.text(st.sampled_from("\r\n\t :=?<>@,;\"'\\()Bca\u2028\x85é🎉"), max_size=60),
    st.text("a", min_size=900, max_size=1100),
)
"""Texts, with a taste for what ends a field early."""

printable = st.text(
    st.characters(exclude_categories=("C", "Zl", "Zp", "Zs"), include_characters=" \u200d\u200f"),
    min_size=1,
    max_size=80,
)
tidy = printable.map(lambda text: " ".join(text.split())).filter(
    lambda text: text and "=?" not in text
)
local_parts = st.from_regex(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]{1,20}", fullmatch=True)
addresses = local_parts.map(lambda local: f"{local}@x.example")
mailboxes = st.builds(
    lambda name, spec: Address(name, addr_spec=spec), st.one_of(st.just(""), tidy), addresses
)


def composed(message: Message, route: Route = ROUTE, connector: Connector = CONNECTOR) -> Prepared:
    return compose(message, route, connector, STAMP)


def field_names(content: bytes) -> list[str]:
    """The names of the fields as any server sees them, without a library that could be as mistaken."""
    head, blank, _ = content.partition(b"\r\n\r\n")
    assert blank
    lines = [line for line in head.split(b"\r\n") if not line.startswith((b" ", b"\t"))]
    for line in lines:
        assert re.match(rb"[!-9;-~]+: ", line), line
    return [line.partition(b":")[0].decode().lower() for line in lines]


def check_octets(mail: Prepared) -> None:
    """What holds for the octets of every mail."""
    for content in (mail.content, mail.copy):
        assert content.endswith(b"\r\n")
        assert b"\r" not in content.replace(b"\r\n", b"")
        assert b"\n" not in content.replace(b"\r\n", b"")
        assert b"\0" not in content
        assert max(map(len, content.split(b"\r\n"))) <= 998
        assert mail.envelope.utf8 or content.isascii()
        assert not [
            line for line in content.partition(b"\r\n\r\n")[0].split(b"\r\n") if not line.strip()
        ]


def parsed(content: bytes) -> EmailMessage:
    return message_from_bytes(content, policy=policy.default)


def unfolded(content: bytes, field: str) -> str:
    raw = message_from_bytes(content, policy=policy.compat32)[field]
    return str(make_header(decode_header(re.sub(r"\r\n(?=[ \t])", "", str(raw)))))


def with_text(field: str, text: str) -> tuple[Message, Route, Connector, set[str]]:
    """A mail that holds a text in a field, and the names of the fields that it has beside the usual ones."""
    message, route, connector, more = MAIL, ROUTE, CONNECTOR, set[str]()
    file = Attachment("a.png", b"\x89PNG", "image/png")
    if field in ("to", "cc", "bcc"):
        message = replace(message, **cast("Any", {field: (text, "ada@x.example")}))
        more = {field} - {"bcc"}
    elif field in ("subject", "text", "html", "from_name"):
        message = replace(message, **cast("Any", {field: text}))
    elif field in ("reply_to", "original_from"):
        route = replace(route, **cast("Any", {field: text}))
        more = {field.replace("original", "x-original").replace("_", "-")} if text else set()
    elif field == "header name":
        message = replace(message, headers=((text, "value"),))
        more = {text.lower()}
    elif field == "header value":
        message = replace(message, headers=(("X-Ticket", text),))
        more = {"x-ticket"}
    elif field == "display name":
        connector = replace(connector, display_name=text)
    elif field == "file name":
        message = replace(message, attachments=(replace(file, name=text),))
    elif field == "type":
        message = replace(message, attachments=(replace(file, content_type=text),))
    else:
        message = replace(
            message, html="<img src=cid:a>", attachments=(replace(file, content_id=text),)
        )
    return message, route, connector, more


FIELDS = (
    "to", "cc", "bcc", "subject", "text", "html", "from_name", "reply_to", "original_from", "header name",
    "header value", "display name", "file name", "type", "image id",
)  # fmt: skip


@pytest.mark.parametrize("text", INJECTIONS)
def test_no_text_in_any_field_becomes_a_field_of_its_own(text: str) -> None:
    for field in FIELDS:
        never_another_field(field, text)


@given(st.sampled_from(FIELDS), anything)
def test_no_arbitrary_text_becomes_another_field(field: str, text: str) -> None:
    never_another_field(field, text)


def never_another_field(field: str, text: str) -> None:
    message, route, connector, more = with_text(field, text)
    try:
        mail = composed(message, route, connector)
    except UsageError as error:
        assert "\n" not in error.message  # noqa: PT017 - a refusal is as good as a mail
        return
    check_octets(mail)
    names = field_names(mail.content)
    assert len(names) == len(set(names))
    body = {name for name in names if name.startswith("content-")}
    assert set(names) - body == ALWAYS | more
    assert "bcc" not in names
    assert "eve@x.example" not in mail.envelope.recipients or field in ("to", "cc", "bcc")
    for part in parsed(mail.content).walk():
        assert "bcc" not in {name.lower() for name in part}


@given(tidy)
@example("🎉 Wir feiern: Größe, Ärger & 漢字" * 4)
@example("=?utf-8?q?not_an_encoded_word?=")
@example("a" * 300)
@example("שלום, עולם \u200f!")
def test_a_subject_arrives_as_it_is(subject: str) -> None:
    mail = composed(replace(MAIL, subject=subject))
    check_octets(mail)
    assert unfolded(mail.content, "Subject") == subject
    assert max(map(len, mail.content.partition(b"\r\n\r\n")[0].split(b"\r\n"))) <= 78


@given(st.lists(mailboxes, min_size=1, max_size=8, unique_by=lambda item: item.addr_spec))
@example([Address('Lovelace, "Ada" (Countess)', addr_spec="ada@x.example")])
@example([Address("Ærøskøbing, 🎉 & Søn", addr_spec="a@x.example")] * 1)
@example([Address("back\\slash", addr_spec="a@x.example")])
def test_names_and_addresses_arrive_as_they_are(people: list[Address]) -> None:
    mail = composed(replace(MAIL, to=tuple(str(item) for item in people)))
    check_octets(mail)
    assert mail.envelope.recipients == tuple(item.addr_spec for item in people)
    raw = message_from_bytes(mail.content, policy=policy.compat32)["To"]
    found = [(str(make_header(decode_header(name))), spec) for name, spec in getaddresses([raw])]
    assert found == [(item.display_name, item.addr_spec) for item in people]


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=400))
@example(".\n..\n.hidden\n")
@example("From here on\nFrom there\n")
@example("long " * 1000)
@example("x" * 3000)
@example("trailing blanks  \n\tand tabs\t\n")
@example("שלום עולם")
@example("\r\n\r\n")
def test_a_text_arrives_as_it_is(text: str) -> None:
    mail = composed(replace(MAIL, text=text))
    check_octets(mail)
    expected = text.replace("\r\n", "\n").replace("\r", "\n")
    got = parsed(mail.content).get_content().replace("\r\n", "\n")
    assert got == (expected if expected.endswith("\n") else f"{expected}\n")


@given(st.lists(st.tuples(tidy, st.binary(max_size=500), st.booleans()), min_size=1, max_size=4))
@example([('Größe, "Ärger" & 漢字.pdf', b"\x00\r\n.\r\n\xff", False)])
@example([("../../etc/passwd", b"root", False)])
def test_attachments_arrive_as_they_are(files: list[tuple[str, bytes, bool]]) -> None:
    message = replace(
        MAIL,
        html="<p>Hello</p>" if any(inline for _, _, inline in files) else None,
        attachments=tuple(
            Attachment(name, content, "image/png", f"image-{number}" if inline else "")
            for number, (name, content, inline) in enumerate(files)
        ),
    )
    mail = composed(message)
    check_octets(mail)
    parts = [part for part in parsed(mail.content).walk() if part.get_content_type() == "image/png"]
    expected = sorted(files, key=lambda item: not item[2])  # images stand beside their HTML
    assert [part.get_content() for part in parts] == [content for _, content, _ in expected]
    assert [part.get_filename() for part in parts] == [
        re.sub(r"[/\\]", "_", name) for name, _, _ in expected
    ]
    assert [part.get_content_disposition() == "inline" for part in parts] == [
        inline for _, _, inline in expected
    ]


LINES = st.lists(st.text(st.characters(codec="ascii", exclude_characters="\0\r\n"), max_size=200))


@given(LINES, st.sampled_from(["\r\n", "\n"]))
@example(
    ["From: eve@x.example", "Subject: " + "long " * 100, "", ".", "From the start", "--"], "\n"
)
def test_an_attached_mail_is_kept_line_for_line(lines: list[str], end: str) -> None:
    inner = "".join(f"{line}{end}" for line in lines).encode()
    mail = composed(replace(MAIL, attachments=(Attachment("a.eml", inner, "message/rfc822"),)))
    check_octets(mail)
    if inner.strip():
        assert b"Content-Type: message/rfc822\r\n" in mail.content
        assert b"Content-Transfer-Encoding: 8bit\r\n" not in mail.content
        assert b'filename="a.eml"' in mail.content
        assert b"\r\n\r\n" + inner.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") in mail.content


@pytest.mark.parametrize(
    "inner",
    [b"", b"\r\n", "Subject: Größe\r\n\r\n".encode(), b"a\0b", b"a\rb", b"x" * 999],
)
def test_an_attached_mail_that_would_have_to_be_encoded_is_a_file_of_octets(inner: bytes) -> None:
    mail = composed(replace(MAIL, attachments=(Attachment("a.eml", inner, "message/rfc822"),)))
    check_octets(mail)
    (part,) = parsed(mail.content).iter_attachments()
    assert part.get_content_type() == "application/octet-stream"
    assert part.get_content() == inner


@given(
    st.lists(addresses, max_size=4),
    st.lists(addresses, max_size=4),
    st.lists(addresses, max_size=4),
)
def test_every_recipient_is_in_the_envelope_once_and_bcc_in_the_copy_alone(
    to: list[str], cc: list[str], bcc: list[str]
) -> None:
    message = replace(MAIL, to=tuple(to), cc=tuple(cc), bcc=tuple(bcc))
    if not (to or cc or bcc):
        with pytest.raises(UsageError, match="no recipient"):
            composed(message)
        return
    mail = composed(message)
    check_octets(mail)
    assert mail.envelope.recipients == tuple(dict.fromkeys([*to, *cc, *bcc]))
    assert "bcc" not in field_names(mail.content)
    assert ("bcc" in field_names(mail.copy)) == bool(bcc)
    shown = {item.decode() for item in re.findall(rb"[^\s,:<>]+@x\.example", mail.content)}
    assert shown.isdisjoint({*bcc} - {*to} - {*cc})
    if bcc:
        assert [item.addr_spec for item in parsed(mail.copy)["Bcc"].addresses] == list(
            dict.fromkeys(bcc)
        )


@pytest.mark.parametrize("field", ["to", "cc", "bcc"])
def test_a_single_text_is_not_split_into_characters(field: str) -> None:
    with pytest.raises(UsageError, match="must be several"):
        composed(replace(MAIL, **cast("Any", {field: "ada@x.example"})))


def test_a_thousand_recipients_are_one_field_of_short_lines() -> None:
    people = tuple(f"reader-{number}@x.example" for number in range(1000))
    mail = composed(replace(MAIL, to=people))
    check_octets(mail)
    assert mail.envelope.recipients == people
    assert field_names(mail.content).count("to") == 1
