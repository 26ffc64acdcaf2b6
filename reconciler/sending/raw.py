"""Complete messages, as programs pass them to sendmail: only the sender is corrected."""

from __future__ import annotations

from email.errors import MessageError
from email.headerregistry import Address
from email.parser import BytesParser
from email.policy import SMTP
from email.utils import format_datetime
from typing import TYPE_CHECKING

from reconciler.errors import UsageError
from reconciler.mail.smtp import Envelope
from reconciler.model.domain import address_key
from reconciler.sending.addresses import needs_utf8, read_addresses
from reconciler.sending.headers import address_field, plain_field
from reconciler.sending.message import TOKEN_HEADER, Prepared
from reconciler.sending.raw_head import bare_addresses, fields, split
from reconciler.values import replace

if TYPE_CHECKING:
    from reconciler.model.connector import Connector
    from reconciler.routing.request import Route
    from reconciler.sending.message import RawMessage, Stamp

_BLIND = frozenset({b"bcc", b"resent-bcc"})
_OURS = frozenset({b"x-original-from", TOKEN_HEADER.lower().encode()})
_NOT_SENT = _BLIND | _OURS | frozenset({b"return-path", b"sender"})
_LONGEST_LINE = 998
"""The maximum length of a line, without its end (RFC 5322 section 2.1.1)."""


def asked_of(message: RawMessage) -> tuple[str | None, str | None]:
    """The addresses of From and Reply-To in the mail; None if missing."""
    head, _ = split(message.content)
    return _first(head, "From"), _first(head, "Reply-To")


def values_of(message: RawMessage, names: frozenset[str]) -> tuple[str, ...]:
    """The values of every field with one of these names (in lower case), unfolded, repeated ones too."""
    head, _ = split(message.content)
    return tuple(
        text.partition(b":")[2].decode(errors="replace").replace("\r\n", "").strip()
        for name, text in fields(head)
        if name.decode("ascii") in names
    )


def recipients_of(message: RawMessage) -> tuple[str, ...]:
    """The addresses of To, Cc and Bcc in the mail, or those of Resent fields."""
    head, _ = split(message.content)
    return _named(head)


def without_from(message: RawMessage, instead: str = "") -> RawMessage:
    """The same mail with another From field, or with none."""
    head, body = split(message.content)
    kept = b"".join(field for name, field in fields(head) if name != b"from")
    new = instead.encode() + kept or b"To: undisclosed-recipients:;\r\n"
    return replace(message, content=new + b"\r\n" + body)


def adopt(message: RawMessage, route: Route, connector: Connector, stamp: Stamp) -> Prepared:
    """Prepare a raw mail. A pure function of its arguments.

    From stays if it has the route's address, and becomes that address otherwise. Bcc and Return-Path
    are removed; so are Sender, which would equal From, and X-Original-From, which only the route may
    set. Date and Message-ID are added if missing. Non-ASCII header fields are re-encoded, and line ends
    normalised: a lone CR or LF would end the mail early at some servers. Raises UsageError if it is not
    a mail.
    """
    head, body = split(message.content)
    recipients = _recipients(message, head)
    (author,) = read_addresses([route.from_address], "From")
    # If the sender is given separately, the mail cannot name a different one.
    own = [address_key(address) for address in _addresses(head, "From")]
    foreign = own not in ([], [address_key(author.addr_spec)])
    kept, names = _kept(head, replaced=route.original_from is not None or foreign)
    added = []
    if b"from" not in names:
        name = connector.from_name or ""
        added.append(address_field("From", [Address(name, author.username, author.domain)]))
    if route.reply_to and b"reply-to" not in names:
        added.append(address_field("Reply-To", read_addresses([route.reply_to], "Reply-To")))
    if route.original_from:
        added.append(
            address_field("X-Original-From", read_addresses([route.original_from], "From"))
        )
    if b"date" not in names:
        added.append(plain_field("Date", format_datetime(stamp.at)))
    message_id = next(iter(_values(head, "Message-ID")), f"<{stamp.token}@{author.domain}>")
    if b"message-id" not in names:
        added.append(plain_field("Message-ID", message_id))
    added.append(plain_field(TOKEN_HEADER, stamp.token))
    new = "".join(added).encode()
    content = new + kept + b"\r\n" + body
    if max(map(len, content.split(b"\r\n"))) > _LONGEST_LINE:
        raise UsageError(
            f"the mail has a line of more than {_LONGEST_LINE} octets",
            hint="Encode its body (quoted-printable or base64), and fold its header fields.",
        )
    bcc = b"".join(field for name, field in fields(head) if name in _BLIND)
    utf8 = not (new + kept).isascii() or needs_utf8((author.addr_spec, *recipients))
    eight_bit = utf8 or not body.isascii()
    return Prepared(
        route=route,
        envelope=Envelope(author.addr_spec, recipients, eight_bit=eight_bit, utf8=utf8),
        message_id=message_id,
        token=stamp.token,
        at=stamp.at,
        content=content,
        copy=new + kept + bcc + b"\r\n" + body,
        seven_bit=_in_seven_bit(content) if eight_bit and not utf8 else None,
    )


def _kept(head: bytes, *, replaced: bool) -> tuple[bytes, frozenset[bytes]]:
    dropped = _NOT_SENT | ({b"from"} if replaced else set())
    kept = [(name, field) for name, field in fields(head) if name not in dropped]
    return b"".join(field for _, field in kept), frozenset(name for name, _ in kept)


def _values(head: bytes, field: str) -> list[str]:
    """The values of a field, unfolded."""
    sought = field.lower().encode()
    raw = [text.partition(b":")[2] for name, text in fields(head) if name == sought]
    return [value.decode().replace("\r\n", "").strip() for value in raw]


def _named(head: bytes) -> tuple[str, ...]:
    return tuple(address for field in _destinations(head) for address in _addresses(head, field))


def _recipients(message: RawMessage, head: bytes) -> tuple[str, ...]:
    texts = message.recipients or _named(head)
    found = read_addresses(texts, "the recipients")
    if not found:
        raise UsageError("the mail has no recipient", hint="Name one in To, Cc or Bcc.")
    return tuple(dict.fromkeys(address.addr_spec for address in found))


def _destinations(head: bytes) -> tuple[str, ...]:
    """The fields with the current recipients of a mail: the Resent ones, if it is resent (RFC 5322 3.6.6)."""
    names = [name for name, _ in fields(head)]
    if not any(name in (b"resent-to", b"resent-cc", b"resent-bcc") for name in names):
        return "To", "Cc", "Bcc"
    if names.count(b"resent-to") > 1 or names.count(b"resent-from") > 1:
        raise UsageError(
            "the mail was resent more than once, so its recipients are ambiguous",
            hint="Name the recipients.",
        )
    return "Resent-To", "Resent-Cc", "Resent-Bcc"


def _first(head: bytes, field: str) -> str | None:
    return next(iter(_addresses(head, field)), None)


def _addresses(head: bytes, field: str) -> list[str]:
    return bare_addresses(_values(head, field), field)


def _in_seven_bit(content: bytes) -> bytes | None:
    """The mail with its text encoded, for a server without 8BITMIME; None if it cannot be."""
    try:
        parsed = BytesParser(policy=SMTP.clone(refold_source="none")).parsebytes(content)
        encoded = parsed.as_bytes(policy=SMTP.clone(refold_source="none", cte_type="7bit"))
    except (MessageError, ValueError, LookupError, TypeError, RecursionError):
        return None
    return encoded if encoded.isascii() else None
