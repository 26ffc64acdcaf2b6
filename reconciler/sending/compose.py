"""From a message and its route to the transmitted octets (RFC 5322, RFC 2045 to 2049)."""

from __future__ import annotations

import re
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import TYPE_CHECKING

from reconciler.errors import UsageError
from reconciler.mail.smtp import Envelope
from reconciler.sending.addresses import needs_utf8, read_addresses, refuse_control_characters
from reconciler.sending.headers import address_field, further_field, plain_field, text_field
from reconciler.sending.html_to_text import text_of
from reconciler.sending.message import TOKEN_HEADER, Prepared

if TYPE_CHECKING:
    from reconciler.model.connector import Connector
    from reconciler.routing.request import Route
    from reconciler.sending.message import Attachment, Message, Stamp

_FIELD_NAME = re.compile(r"[!-9;-~]{1,76}")
_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}")
_CONTENT_ID = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.@-]{1,200}")
_OURS = frozenset({
    "from", "sender", "reply-to", "to", "cc", "bcc", "subject", "date", "message-id",
    "mime-version", "auto-submitted", "return-path", "received", "x-original-from",
    "x-auto-response-suppress",
})  # fmt: skip
_LONGEST_WORD = 900
"""Octets that fit on a line after the name of the field (RFC 5322 section 2.1.1)."""

_MAIL = "message/rfc822"
_WRAPPED = ("message/", "multipart/")
"""This type must not be encoded (RFC 2046 section 5.2.1).

A mail that needs encoding is attached as a binary file.
"""

_LONGEST_LINE = 998
"""The maximum length of a line, without its end (RFC 5322 section 2.1.1)."""

_SEVEN_BIT = SMTP.clone(cte_type="7bit")
"""Everything in ASCII, so that it passes through every server unchanged."""


def compose(message: Message, route: Route, connector: Connector, stamp: Stamp) -> Prepared:
    """Compose a mail. A pure function of its arguments.

    From and the envelope's sender are the address from the route; Sender is omitted,
    as RFC 5322 section 3.6.2 requires if both are the same. Raises UsageError if it is not a valid
    mail: no recipient, no subject, no text, an invalid address, a character that would end a field
    early.
    """
    to, cc, bcc = (
        read_addresses(texts, field)
        for field, texts in (("To", message.to), ("Cc", message.cc), ("Bcc", message.bcc))
    )
    recipients = tuple(dict.fromkeys(address.addr_spec for address in (*to, *cc, *bcc)))
    if not recipients:
        raise UsageError("the mail has no recipient", hint="Name one in To, Cc or Bcc.")
    answers = read_addresses([route.reply_to], "Reply-To") if route.reply_to else ()
    (author,) = read_addresses([route.from_address], "From")
    asked = read_addresses([route.original_from], "From") if route.original_from else ()
    everybody = (author, *answers, *asked, *to, *cc, *bcc)
    utf8 = needs_utf8(address.addr_spec for address in everybody)
    message_id = f"<{stamp.token}@{author.domain}>"
    fields = [
        address_field("From", [_named(author, message, connector)]),
        _to(to, cc),
        address_field("Cc", cc) if cc else "",
        address_field("Reply-To", answers) if answers else "",
        text_field("Subject", _subject(message.subject)),
        plain_field("Date", format_datetime(stamp.at)),
        plain_field("Message-ID", message_id),
        plain_field(TOKEN_HEADER, stamp.token),
    ]
    if asked:
        fields.append(address_field("X-Original-From", asked))
    if message.auto_submitted:
        fields.append(plain_field("Auto-Submitted", "auto-generated"))
        fields.append(plain_field("X-Auto-Response-Suppress", "All"))
    fields += [_further(field, value) for field, value in message.headers]
    head, body = "".join(fields).encode(), _body(message).as_bytes()
    content = head + body
    return Prepared(
        route=route,
        envelope=Envelope(author.addr_spec, recipients, eight_bit=utf8, utf8=utf8),
        message_id=message_id,
        token=stamp.token,
        at=stamp.at,
        content=content,
        copy=head + address_field("Bcc", bcc).encode() + body if bcc else content,
    )


def _to(to: tuple[Address, ...], cc: tuple[Address, ...]) -> str:
    if to or cc:
        return address_field("To", to) if to else ""
    return plain_field("To", "undisclosed-recipients:;")


def _named(author: Address, message: Message, connector: Connector) -> Address:
    """The author's address with a name: the requested one, else the connector's."""
    name = message.from_name or connector.from_name or ""
    refuse_control_characters(name, "the sender's name")
    return Address(name, author.username, author.domain)


def _subject(subject: str) -> str:
    refuse_control_characters(subject, "the subject")
    text = " ".join(subject.split())
    if not text:
        raise UsageError(
            "the mail has no subject", hint="Give it one; spam filters expect it, too."
        )
    return text


def _further(field: str, value: str) -> str:
    lower = field.lower()
    if not _FIELD_NAME.fullmatch(field):
        raise UsageError(f"invalid header field name {field!r}")
    if lower in _OURS or lower.startswith(
        ("content-", "resent-", "x-reconciler-", "dkim-", "arc-")
    ):
        raise UsageError(
            f"the header field {field} cannot be set",
            hint="It has its own option, or reconciler sets it.",
        )
    refuse_control_characters(value, f"the header field {field}")
    if not value.strip() or max(map(len, value.split())) > _LONGEST_WORD:
        raise UsageError(f"the header field {field} is empty, or contains a word that is too long")
    return further_field(field, value.strip())


def _body(message: Message) -> EmailMessage:
    email = EmailMessage(policy=_SEVEN_BIT)
    if message.text is None and message.html is None:
        raise UsageError("the mail has no text", hint="Give a text, HTML, or both.")
    text = message.text if message.text is not None else text_of(message.html or "")
    email.set_content(_lines(text))
    inline = tuple(item for item in message.attachments if item.content_id)
    if message.html is not None:
        email.add_alternative(_lines(message.html), subtype="html")
        html = email.get_payload()[-1]  # type: ignore[index]  # a list, after an alternative
        for item in inline:
            _attach(html, item)  # type: ignore[arg-type]  # an EmailMessage, as its container is
    elif inline:
        raise UsageError("an inline image needs HTML that refers to it", hint="Attach it instead.")
    for item in message.attachments:
        if not item.content_id:
            _attach(email, item)
    return email


def _lines(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError("the text contains half a character, which cannot be encoded") from None
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")


def _attach(part: EmailMessage, item: Attachment) -> None:
    refuse_control_characters(item.name, "the name of an attachment")
    if not _TYPE.fullmatch(item.content_type):
        raise UsageError(
            f"invalid content type {item.content_type!r}", hint="For example image/png."
        )
    # The library would decode an encoded word, and write its content unencoded.
    name = item.name.replace("/", "_").replace("\\", "_").replace("=?", "=_")
    kind = item.content_type.lower()
    if kind == _MAIL and not item.content_id and (mail := _unencoded(item.content)) is not None:
        part.add_attachment(EmailMessage(), filename=name, cte="7bit")
        part.get_payload()[-1].set_payload(mail)  # type: ignore[index, union-attr]  # a list, now
        return
    maintype, _, subtype = (
        "application/octet-stream" if kind.startswith(_WRAPPED) else kind
    ).partition("/")
    if not item.content_id:
        part.add_attachment(item.content, maintype, subtype, filename=name)
        return
    if not _CONTENT_ID.fullmatch(item.content_id) or "=?" in item.content_id:
        raise UsageError(f"invalid image id {item.content_id!r}")
    part.add_related(
        item.content,
        maintype,
        subtype,
        cid=f"<{item.content_id}>",
        filename=name,
        disposition="inline",
    )


def _unencoded(mail: bytes) -> str | None:
    """The text of an attached mail, byte for byte, if it needs no encoding."""
    lines = mail.replace(b"\r\n", b"\n").split(b"\n")
    fits = all(len(line) <= _LONGEST_LINE and b"\r" not in line for line in lines)
    if not fits or not mail.isascii() or b"\0" in mail or not mail.strip():
        return None
    return b"\r\n".join(lines).decode("ascii")
