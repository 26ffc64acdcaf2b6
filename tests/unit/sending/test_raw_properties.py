"""Complete mails as programs write them: they go out unchanged except for their sender, or are refused."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reconciler.errors import UsageError
from reconciler.model.connector import Connector
from reconciler.routing.reason import Reason
from reconciler.routing.request import Route
from reconciler.sending.message import RawMessage, Stamp
from reconciler.sending.raw import adopt, asked_of
from reconciler.values import replace

if TYPE_CHECKING:
    from reconciler.sending.message import Prepared

CONNECTOR: Final = Connector(
    name="support",
    display_name="Support",
    enable_mail_send_from=True,
    email_address="support@contoso.example",
)
ROUTE: Final = Route(
    connector="support",
    from_address="support@contoso.example",
    reply_to=None,
    original_from=None,
    save_to_sent_items=None,
    reason=Reason.NAMED,
    steps=(),
)
FORCED: Final = replace(ROUTE, reply_to="root@hosts.example", original_from="root@hosts.example")
STAMP: Final = Stamp("0123456789abcdef", datetime(2026, 11, 25, 6, 30, tzinfo=UTC))
MAIL: Final = b"From: root@hosts.example\nTo: ada@x.example\nSubject: x\n\nbody\n"

words = st.text(st.sampled_from("abc .:;<>@,\"'\\=?éü\t"), max_size=30).map(str.encode)
names = st.sampled_from([
    b"From", b"To", b"Cc", b"Bcc", b"bCC", b"Subject", b"Sender", b"Reply-To", b"Date", b"Message-ID",
    b"Return-Path", b"Resent-Bcc", b"Resent-To", b"Received", b"X-Original-From", b"X-Reconciler-ID", b"X",
])  # fmt: skip
values = st.one_of(
    words, st.just(b"ada@x.example"), st.just(b"Ada <ada@x.example>,\n bob@x.example")
)
fields = st.builds(lambda name, value: name + b": " + value + b"\n", names, values)
mails = st.builds(
    lambda head, body: b"".join(head) + b"\n" + body,
    st.lists(fields, min_size=1, max_size=8),
    st.one_of(
        st.binary(max_size=200),
        st.lists(st.sampled_from([b".\n", b"..\n", b"a\r", b"\n"])).map(b"".join),
    ),
)


def adopted(content: bytes, route: Route = ROUTE, recipients: tuple[str, ...] = ()) -> Prepared:
    message = RawMessage(content, recipients)
    asked_of(message)
    return adopt(message, route, CONNECTOR, STAMP)


def field_names(content: bytes) -> list[bytes]:
    head = content.partition(b"\r\n\r\n")[0]
    lines = [line for line in head.split(b"\r\n") if not line.startswith((b" ", b"\t"))]
    assert all(re.match(rb"[!-9;-~]+[ \t]*:", line) for line in lines), head
    return [line.partition(b":")[0].strip().lower() for line in lines]


@given(st.one_of(mails, st.binary(max_size=300)), st.sampled_from([ROUTE, FORCED]))
@example(MAIL, ROUTE)
@example(b"From: a@b.example\nTo: ada@x.example\n.\n", ROUTE)
@example(b"To: ada@x.example\r\rBcc: eve@x.example\r\r", ROUTE)
@example(b"To: ada@x.example\nBcc : eve@x.example\n\n", ROUTE)
@example(b"From me Wed Nov 25\nTo: ada@x.example\n\nbody", FORCED)
@example(b"To: " + b"(" * 20_000 + b"\n\n", ROUTE)
@example(b"To: ada@x.example\nContent-Type: text/plain; \xe9=" + b"(" * 20_000 + b"\n\n", ROUTE)
@example(b"To: ada@x.example\n" + b"Content-Type: message/rfc822\n\n" * 3_000 + b"\xff", ROUTE)
def test_any_input_becomes_a_mail_or_is_rejected(content: bytes, route: Route) -> None:
    try:
        mail = adopted(content, route)
    except UsageError as error:
        assert "\n" not in error.message  # noqa: PT017 - a refusal is as good as a mail
        return
    for sent in (mail.content, mail.copy, mail.seven_bit or b"\r\n"):
        assert sent.endswith(b"\r\n")
        bare = sent.replace(b"\r\n", b"")
        assert b"\r" not in bare
        assert b"\n" not in bare
        assert b"\0" not in sent
        assert max(map(len, sent.split(b"\r\n"))) <= 998
    found = field_names(mail.content)
    assert not {b"bcc", b"return-path"} & set(found)
    for once in (b"x-reconciler-id", b"date", b"message-id"):
        assert once in found
    assert found.count(b"x-reconciler-id") == 1
    if route is FORCED:
        assert found.count(b"from") == found.count(b"x-original-from") == 1
        assert b"sender" not in found
    assert mail.envelope.sender == "support@contoso.example"
    assert mail.envelope.recipients
    assert mail.envelope.eight_bit or mail.content.isascii()
    assert mail.envelope.utf8 or mail.content.partition(b"\r\n\r\n")[0].isascii()


@given(st.binary(max_size=300).filter(lambda body: b"\0" not in body))
def test_a_body_is_left_as_it_is_but_for_its_line_ends(body: bytes) -> None:
    mail = adopted(b"From: support@contoso.example\nTo: ada@x.example\nSubject: x\n\n" + body)
    expected = re.sub(rb"\r*\n|\r", b"\r\n", body)
    got = mail.content.partition(b"\r\n\r\n")[2]
    assert got == (expected if expected.endswith(b"\r\n") or not expected else expected + b"\r\n")


@pytest.mark.parametrize(
    "bcc",
    [
        b"Bcc: eve@x.example\n",
        b"BCC:eve@x.example\n",
        b"Bcc: one@x.example,\n eve@x.example\n",
        b"Bcc : eve@x.example\n",
        b"Bcc:\n eve@x.example\n",
        b"Resent-To: bob@x.example\nResent-Bcc: eve@x.example\n",
    ],
)
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_bcc_is_never_sent_however_it_is_written(bcc: bytes, end: bytes) -> None:
    raw = b"From: support@contoso.example\nTo: ada@x.example\n" + bcc + b"Subject: x\n\nbody\n"
    mail = adopted(raw.replace(b"\n", end))
    assert b"eve@x.example" not in mail.content
    assert "eve@x.example" in mail.envelope.recipients
    assert b"eve@x.example" in mail.copy


def test_a_resent_mail_goes_to_its_resent_recipients() -> None:
    mail = adopted(b"Resent-From: support@contoso.example\nResent-To: bob@x.example\n" + MAIL)
    assert mail.envelope.recipients == ("bob@x.example",)
    assert b"To: ada@x.example\r\n" in mail.content


def test_a_mail_that_was_resent_twice_has_to_be_given_its_recipients() -> None:
    raw = b"Resent-To: bob@x.example\nResent-To: eve@x.example\n" + MAIL
    with pytest.raises(UsageError, match="resent more than once"):
        adopted(raw)
    assert adopted(raw, recipients=("bob@x.example",)).envelope.recipients == ("bob@x.example",)


def test_a_forced_mail_says_who_it_was_from() -> None:
    head = adopted(MAIL, FORCED).content.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    assert "From: support@contoso.example" in head
    assert "Reply-To: root@hosts.example" in head
    assert "X-Original-From: root@hosts.example" in head


def test_its_own_reply_to_stays() -> None:
    raw = b"Reply-To: team@hosts.example\n" + MAIL
    head = adopted(raw, FORCED).content.partition(b"\r\n\r\n")[0]
    assert head.count(b"Reply-To") == 1
    assert b"Reply-To: team@hosts.example" in head


def test_recipients_that_are_given_are_the_only_ones() -> None:
    mail = adopted(b"Bcc: eve@x.example\n" + MAIL, recipients=("bob@x.example",))
    assert mail.envelope.recipients == ("bob@x.example",)
    assert b"eve@x.example" not in mail.content
