"""Corrects the head of a raw mail: marks before it, line ends, and non-ASCII fields.

Programs write UTF-8 or the charset of their machine into header fields. RFC 5322 allows ASCII there,
and RFC 6532 UTF-8 only between servers that all support SMTPUTF8. So such fields are decoded and
re-encoded (RFC 2047, RFC 2231), and ambiguous ones are refused.
"""

from __future__ import annotations

import codecs
import re
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.headerregistry import Address
from email.policy import SMTP
from email.utils import getaddresses
from typing import Any, Final
from urllib.parse import quote

from reconciler.errors import UsageError
from reconciler.sending.addresses import read_addresses
from reconciler.sending.headers import address_field, text_field

FIELD: Final = re.compile(rb"([!-9;-~]+)[ \t]*:(?:[^\n]*\n)(?:[ \t][^\n]*\n)*")
"""One header field with the lines it is folded into."""

_MARKS: Final = (codecs.BOM_UTF8, "\u200b".encode(), codecs.BOM_UTF8.decode("latin-1").encode())
"""A byte order mark, an invisible blank, and the mark when misread as Latin-1."""

_WIDE: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
_MBOX: Final = re.compile(rb">*From (?![ \t]*:)[^\n]*\n")
_BREAK: Final = re.compile(rb"\r*\n|\r")
_HEAD: Final = re.compile(rb"(?s)(.*?\n)(?:\r*\n|\Z)(.*)")
_BLANK_LINE: Final = re.compile(rb"(?m)^[ \t]+\r\n")
_CHARSET: Final = re.compile(
    rb"""(?is)^content-type[ \t]*:.*?;\s*charset\s*=\s*"?([\w.:-]{1,40})"""
)
_UNCLEAN: Final = re.compile(rb"[^\t\r\n -~]")
_NOT_SHOWN: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\s]+")
_WORD: Final = re.compile(r"=\?[!->@-~]+\?[bBqQ]\?[!->@-~]*\?=")
_BETWEEN_WORDS: Final = re.compile(r"(?<=\?=)\s+(?==\?)")
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"(?!@)')
_COMMENT: Final = re.compile(r"\((?:[^()\\]|\\.)*\)")
_ASCII: Final = bytes(range(0x20, 0x7F))
_ESCAPES: Final = frozenset({"unicode-escape", "raw-unicode-escape"})

_ADDRESSES: Final = frozenset({
    "from", "to", "cc", "bcc", "reply-to", "resent-from", "resent-to", "resent-cc", "resent-bcc",
    "resent-reply-to", "disposition-notification-to", "mail-followup-to", "mail-reply-to",
})  # fmt: skip
_PARAMETERS: Final = frozenset({"content-type", "content-disposition"})
_LITERAL: Final = frozenset({"boundary", "charset"})
"""Parameters that the text repeats, or that say how to read it: they stay."""
_MACHINES: Final = frozenset({
    "message-id", "in-reply-to", "references", "date", "mime-version", "content-transfer-encoding",
    "content-id", "resent-date", "resent-message-id",
})  # fmt: skip
"""Fields for machines, in which non-ASCII text cannot be encoded."""


def without_marks(content: bytes) -> bytes:
    """The input without what editors and mailbox files put before a mail.

    That is a byte order mark, and the line ``From … date`` of a mailbox file if a header field follows it.
    Line ends are CRLF or LF afterwards. Raises UsageError for UTF-16 and UTF-32, and for a NUL character.
    """
    if content.startswith(_WIDE):
        raise UsageError(
            "the mail is in UTF-16 or UTF-32", hint="Save it in UTF-8, or as the bytes it was."
        )
    if b"\0" in content:
        raise UsageError("the mail contains a NUL character, which no server accepts")
    if b"\n" not in content:
        content = content.replace(b"\r", b"\n")
    while True:
        mark = next((mark for mark in _MARKS if content.startswith(mark)), None)
        line = _MBOX.match(content)
        if mark is not None:
            content = content.removeprefix(mark)
        elif line and _begins_head(content[line.end() :]):
            content = content[line.end() :]
        else:
            return content


def split(content: bytes) -> tuple[bytes, bytes]:
    """Head and body, every line ending in CRLF, and the head in ASCII except for non-ASCII addresses.

    Raises UsageError if it is not a mail, or has a bare CR in the head: some readers would begin a field
    there, and others would not.
    """
    text = without_marks(content)
    match = _HEAD.fullmatch(text if text.endswith(b"\n") else text + b"\n")
    head, body = (match[1], match[2]) if match else (b"", b"")
    if re.search(rb"\r(?!\r*\n)", head):
        raise UsageError(
            "the header of the mail holds a carriage return that ends no line",
            hint="End its lines with CRLF or LF.",
        )
    head = _BLANK_LINE.sub(b"", _BREAK.sub(b"\r\n", head))
    if not head or b"".join(field for _, field in fields(head)) != head:
        raise UsageError(
            "the input is not a mail: it does not begin with header fields",
            hint="A mail is header fields, an empty line, and the text (RFC 5322).",
        )
    if _UNCLEAN.search(head):
        charset = _declared(head)
        head = b"".join(_clean(name, field, charset) for name, field in fields(head))
    return head, _BREAK.sub(b"\r\n", body)


def fields(head: bytes) -> list[tuple[bytes, bytes]]:
    """The fields of a head, each with its name in lower case."""
    return [(match[1].lower(), match[0]) for match in FIELD.finditer(head)]


def bare_addresses(values: list[str], field: str) -> list[str]:
    """The bare addresses in values of a field; raises UsageError for one that cannot be read.

    Encoded words are not decoded first: an address hidden in one does not count (RFC 2047 section 5).
    Nor does a split address, as in ``s@contoso.ex ample``: readers disagree on what it is.
    """
    values = [value for value in values if value and not value.endswith(":;")]
    try:
        pairs = getaddresses(values) if values else []
    except RecursionError:  # thousands of nested comments
        raise UsageError(f"{field} of the mail holds an invalid address") from None
    plain = " ".join(_without_quotes(value) for value in values)
    if not all(address and address in plain for _, address in pairs):
        raise UsageError(f"{field} of the mail holds an invalid address")
    return [address for _, address in pairs]


def _begins_head(rest: bytes) -> bool:
    for mark in _MARKS:
        rest = rest.removeprefix(mark)
    line = rest.partition(b"\n")[0] + b"\n"
    return FIELD.match(line) is not None or _MBOX.match(line) is not None


def _without_quotes(value: str) -> str:
    value = _QUOTED.sub(" ", value)
    while (shorter := _COMMENT.sub(" ", value)) != value:
        value = shorter
    return value


def _declared(head: bytes) -> str:
    """The charset that the mail declares for its text, if it is a superset of ASCII."""
    types = (field for name, field in fields(head) if name == b"content-type")
    match = _CHARSET.match(next(types, b""))
    charset = match[1].decode("ascii", "replace") if match else "utf-8"
    try:
        known = codecs.lookup(charset).name not in _ESCAPES
        known = known and _ASCII.decode(charset) == _ASCII.decode("ascii")
    except (LookupError, ValueError):
        known = False
    return charset if known else "utf-8"


def _clean(name: bytes, field: bytes, charset: str) -> bytes:
    """One field in ASCII, except for non-ASCII local parts of addresses."""
    if not _UNCLEAN.search(field):
        return field
    shown = field.partition(b":")[0].strip().decode("ascii")
    value = _decoded(b" ".join(field.partition(b":")[2].split(b"\r\n")), charset)
    lower = name.decode("ascii")
    if lower in _MACHINES:
        raise UsageError(
            f"{shown} of the mail contains non-ASCII characters", hint="Write it in ASCII."
        )
    if lower in _PARAMETERS:
        return _with_parameters(shown, value).encode()
    if lower in _ADDRESSES:
        return _of_addresses(shown, value).encode()
    return text_field(shown, _NOT_SHOWN.sub(" ", _read(value)).strip()).encode()


def _decoded(value: bytes, charset: str) -> str:
    """Decode as UTF-8 if valid, else by the charset of the mail, else as Windows-1252."""
    charsets = ("iso2022_jp",) if b"\x1b" in value else ("utf-8", charset, "cp1252")
    for candidate in charsets:
        try:
            return value.decode(candidate)
        except ValueError:
            continue
    return value.decode("latin-1")


def _read(text: str) -> str:
    """A text with each valid encoded word decoded."""
    return _WORD.sub(_word, _BETWEEN_WORDS.sub("", text))


def _word(match: re.Match[str]) -> str:
    try:
        return str(make_header(decode_header(match[0])))
    except (HeaderParseError, LookupError, ValueError):
        return match[0]


def _of_addresses(field: str, value: str) -> str:
    value = " ".join(value.replace("\t", " ").split(" ")).strip()
    specs = bare_addresses([value], field)
    found = []
    for (name, _), spec in zip(getaddresses([value]) if specs else [], specs, strict=True):
        (address,) = read_addresses([spec], field)
        shown = _NOT_SHOWN.sub(" ", _read(name)).strip()
        found.append(Address(shown, address.username, address.domain))
    return address_field(field, found) if found else f"{field}: undisclosed-recipients:;\r\n"


def _with_parameters(field: str, value: str) -> str:
    try:
        parsed: Any = SMTP.header_factory(field, value.strip())
    except RecursionError:
        raise UsageError(f"{field} of the mail cannot be read", hint="Write it in ASCII.") from None
    main = parsed.content_type if field.lower() == "content-type" else parsed.content_disposition
    if not main or not main.isascii():
        raise UsageError(f"{field} of the mail cannot be read", hint="Write it in ASCII.")
    parts = [f"{field}: {main}"]
    for name, text in parsed.params.items():
        shown = _NOT_SHOWN.sub(" ", text)
        if name.lower() in _LITERAL and not shown.isascii():
            raise UsageError(f"{field} of the mail cannot be read", hint="Write it in ASCII.")
        if not name.isascii() or not name.replace("-", "").isalnum():
            raise UsageError(f"{field} of the mail cannot be read", hint="Write it in ASCII.")
        if shown.isascii():
            escaped = re.sub(r'(["\\])', r"\\\1", shown)
            parts.append(f'{name}="{escaped}"')
        else:
            parts.append(f"{name}*=utf-8''{quote(shown, safe='')}")
    return ";\r\n ".join(parts) + "\r\n"
