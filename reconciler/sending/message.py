"""A mail before its route is decided."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

from msgspec import Struct

from reconciler.disk_fault import disk_fault
from reconciler.errors import UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from reconciler.mail.smtp import Envelope
    from reconciler.routing.request import Route


class Attachment(Struct, frozen=True):
    """An attachment. ``content_id`` makes it an image that the HTML refers to as ``cid:…``."""

    name: str
    content: bytes
    content_type: str = "application/octet-stream"
    content_id: str = ""

    @classmethod
    def read(cls, path: Path | str, *, content_type: str = "", content_id: str = "") -> Self:
        """Read a file; its type is guessed from its name unless it is given. Raises UsageError."""
        import mimetypes  # noqa: PLC0415 - a mail that is complete needs none of it

        path = Path(path)
        guessed, encoding = mimetypes.guess_type(path.name)
        if encoding is not None:  # compressed data does not have the type of its content
            guessed = "application/gzip" if encoding == "gzip" else None
        try:
            content = path.read_bytes()
        except OSError as error:
            reason = disk_fault(error, path).reason
            raise UsageError(f"{path} cannot be attached: {reason}") from None
        kind = content_type or guessed or "application/octet-stream"
        return cls(path.name, content, kind, content_id)


class Message(Struct, frozen=True, kw_only=True):
    """A message to send.

    Addresses are as people write them, ``ada@x.example`` or ``"Lovelace, Ada" <ada@x.example>``; one
    text may contain several, separated by commas. At least one of ``text`` and ``html`` is required,
    and a ``subject``. ``from_name`` is shown with the From address; if empty, the connector's is used.
    ``auto_submitted`` marks a mail that no person wrote, to suppress out-of-office replies (RFC 3834).
    ``headers`` are further fields, such as ``List-Unsubscribe``.
    """

    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    subject: str = ""
    text: str | None = None
    html: str | None = None
    attachments: tuple[Attachment, ...] = ()
    from_name: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    auto_submitted: bool = False


class RawMessage(Struct, frozen=True):
    """A complete message (RFC 5322), which goes out unchanged except for its sender.

    ``recipients`` are the envelope's; if there are none, those of To, Cc and Bcc.
    """

    content: bytes
    recipients: tuple[str, ...] = ()


class Stamp(Struct, frozen=True):
    """The identity of a mail: a random token, and the time it is sent."""

    token: str
    at: datetime


TOKEN_HEADER = "X-Reconciler-ID"  # noqa: S105 - the name of a header field
"""Finds a copy even if a server has replaced the Message-ID, as Exchange and Amazon SES may."""


class Prepared(Struct, frozen=True):
    """A mail with its route.

    ``content`` is sent. ``copy`` is filed: the same with Bcc, which only the sender may see. Lines end
    in CRLF. ``seven_bit`` is ``content`` for a server that accepts only ASCII, if that differs.
    """

    route: Route
    envelope: Envelope
    message_id: str
    token: str
    at: datetime
    content: bytes
    copy: bytes
    seven_bit: bytes | None = None
