"""A mail taken apart for a reader: headers, text, HTML and attachments. Nothing in it is trusted."""

from __future__ import annotations

import re
from base64 import b64encode
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from html import unescape
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Sequence

SHOWN_HEADERS: Final = (
    "From", "Sender", "Reply-To", "To", "Cc", "Date", "Subject", "Message-ID", "Return-Path", "Delivered-To",
)  # fmt: skip

_LONGEST_HEAD: Final = 64 * 1024
_LONGEST_HEADER: Final = 2000
_LONGEST_NAME: Final = 100
_DEEPEST: Final = 50
_MOST_PARTS: Final = 1000
_HARMLESS: Final = re.compile(r"[^\w .()+@=-]")

_CID: Final = re.compile(r"(?<![\w-])cid:([^\s\"'<>()]{1,500})", re.IGNORECASE)
_PICTURES: Final = frozenset(
    f"image/{kind}" for kind in ("avif", "bmp", "gif", "jpeg", "png", "webp", "x-icon")
)
"""Types that contain only an image: SVG may contain scripts and links."""
_MOST_PICTURES: Final = 50_000_000
"""The total size of the pictures in one HTML, in characters."""

_CONNECTING: Final = re.compile(
    r"<(?=(?:iframe|frame|fencedframe|object|embed|link|base|meta)\b)", re.IGNORECASE
)


class ReceivedFile(Struct, frozen=True):
    """A part of a mail to be saved. ``name`` is fit for a file: without a folder and control characters.

    ``content_id`` is its name in the HTML of the mail; empty if it has none.
    """

    name: str
    content_type: str
    content: bytes
    content_id: str = ""


class OpenedMail(Struct, frozen=True):
    """The contents of a mail. ``problem`` is a sentence if it could not be parsed completely."""

    headers: tuple[tuple[str, str], ...]
    text: str | None
    html: str | None
    attachments: tuple[ReceivedFile, ...]
    problem: str = ""


def headers_of(content: bytes) -> dict[str, str]:
    """Read From, To, Subject and Date and so on, decoded (RFC 2047). A repeated header shows both values."""
    head = re.split(rb"\r?\n\r?\n", content[:_LONGEST_HEAD], maxsplit=1)[0]
    message = message_from_bytes(head + b"\r\n\r\n")
    shown = {}
    for name in SHOWN_HEADERS:
        values = [_decoded(value) for value in message.get_all(name, [])]
        if values:
            shown[name] = " | ".join(values)[:_LONGEST_HEADER]
    return shown


def open_mail(content: bytes) -> OpenedMail:
    """Parse a mail, however broken; the source always shows the rest."""
    headers = tuple(headers_of(content).items())
    try:
        leaves, is_complete = _leaves(message_from_bytes(content))
        text = html = None
        attachments: list[ReceivedFile] = []
        for part in leaves:
            kind = part.get_content_type()
            is_body = part.get_content_disposition() != "attachment"
            if is_body and kind == "text/plain" and text is None:
                text = _text(part)
            elif is_body and kind == "text/html" and html is None:
                html = _text(part)
            else:
                attachments.append(_attachment(part, len(attachments) + 1))
    except (HeaderParseError, RecursionError, LookupError, ValueError, TypeError, AttributeError):
        # The email package raises undocumented exceptions for broken MIME.
        problem = "This mail could not be taken apart. Its source is complete."
        return OpenedMail(headers, None, None, (), problem)
    problem = "" if is_complete else "This mail has too many parts to show. Its source is complete."
    return OpenedMail(headers, text, html, tuple(attachments), problem)


def without_connections(text: str) -> str:
    """Rename the tags of HTML for which a browser connects to a host although a policy forbids to load from it.

    Chromium looks up and connects to the host of a frame and of ``rel=preconnect`` beforehand, which tells a sender
    that the mail is read. A tag starts with ``<`` and its name, with nothing between (WHATWG HTML section 13.2.5.6).
    """
    return _CONNECTING.sub("<x-", text)


def with_pictures(text: str, attachments: Sequence[ReceivedFile]) -> str:
    """Put the mail's own pictures into its HTML, in place of their ``cid:`` URLs (RFC 2392).

    Only formats that are nothing but pictures; of what names one picture a thousand times, a part stays empty.
    """
    pictures = {
        item.content_id: f"data:{item.content_type};base64,{b64encode(item.content).decode()}"
        for item in reversed(attachments)
        if item.content_id and item.content_type in _PICTURES
    }
    left = _MOST_PICTURES

    def picture(match: re.Match[str]) -> str:
        nonlocal left
        found = pictures.get(unquote(unescape(match[1])))
        if found is None or len(found) > left:
            return match[0]
        left -= len(found)
        return found

    return _CID.sub(picture, text) if pictures else text


def file_name(suggested: str | None, number: int) -> str:
    """Return a name to save an attachment under, whatever the mail suggests (RFC 6266 section 4.3).

    Only the last part of a path is kept, without leading dots, and no character that a shell, a header or a reader
    from right to left takes for something else.
    """
    last = re.split(r"[/\\]", suggested or "")[-1]
    name = _HARMLESS.sub("_", last).strip(" .")
    if len(name) > _LONGEST_NAME:
        stem, dot, ending = name.rpartition(".")
        keep = dot + ending if stem and len(ending) <= 10 else ""  # noqa: PLR2004 - of a file name
        name = name[: _LONGEST_NAME - len(keep)] + keep
    return name or f"attachment-{number}"


def _leaves(message: Message) -> tuple[list[Message], bool]:
    """The parts with content, in order, and whether those are all. Attached mails stay whole."""
    found: list[Message] = []
    waiting = [(message, 0)]
    while waiting:
        part, depth = waiting.pop()
        payload = part.get_payload()
        if isinstance(payload, list) and part.get_content_maintype() == "multipart":
            if depth >= _DEEPEST:
                return found, False
            inner = [each for each in reversed(payload) if isinstance(each, Message)]
            waiting.extend((each, depth + 1) for each in inner)
        elif len(found) == _MOST_PARTS:
            return found, False
        else:
            found.append(part)
    return found, True


def _attachment(part: Message, number: int) -> ReceivedFile:
    payload = part.get_payload()
    if isinstance(payload, list):  # message/rfc822, and other mails inside a mail
        content = b"\r\n".join(each.as_bytes() for each in payload if isinstance(each, Message))
    else:
        content = _octets(part)
    suggested = part.get_filename()
    name = file_name(None if suggested is None else _decoded(suggested), number)
    called = str(part.get("Content-ID", "")).strip().removeprefix("<").removesuffix(">")
    return ReceivedFile(name, part.get_content_type(), content, called)


def _octets(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _text(part: Message) -> str:
    octets = _octets(part)
    try:
        return octets.decode(part.get_content_charset("utf-8"), "replace")
    except (LookupError, ValueError):  # the charset is unknown, or not one for text
        return octets.decode("utf-8", "replace")


def _decoded(value: object) -> str:
    """Decode a header; an invalid one is shown unchanged."""
    raw = str(value)
    try:
        decoded = str(make_header(decode_header(raw)))
    except (HeaderParseError, LookupError, ValueError):
        decoded = raw
    return " ".join(decoded.split())
