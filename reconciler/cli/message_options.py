"""A mail from the command line: its texts, files and headers, from arguments, files or standard input."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.disk_fault import disk_fault
from reconciler.errors import UsageError

if TYPE_CHECKING:
    from reconciler.sending.message import Attachment, Message, RawMessage

STDIN = "-"


class MessageOptions(Struct, frozen=True, kw_only=True):
    """The options of ``send`` for the content of the mail.

    Paths are as given; ``-`` is standard input.
    """

    to: tuple[str, ...]
    cc: tuple[str, ...]
    bcc: tuple[str, ...]
    subject: str | None
    from_name: str
    text: str | None
    text_file: str | None
    html: str | None
    html_file: str | None
    attach: tuple[str, ...]
    inline: tuple[str, ...]
    headers: tuple[str, ...]
    auto_submitted: bool

    def message(self) -> Message:
        """Read everything; raises UsageError for what cannot be read or contradicts itself."""
        from reconciler.sending.message import Message  # noqa: PLC0415 - only where a mail is composed

        if (self.text, self.text_file, self.html, self.html_file) == (None, None, None, None):
            raise UsageError(
                "the mail has no text",
                hint="Give --text or --html, or --text-file - for what is on standard input.",
            )
        if self.text_file == STDIN and self.html_file == STDIN:
            raise UsageError("only one text can come from standard input")
        return Message(
            to=self.to,
            cc=self.cc,
            bcc=self.bcc,
            subject=self.subject or "",
            text=_text(self.text, self.text_file, "--text"),
            html=_text(self.html, self.html_file, "--html"),
            attachments=(
                *(_attachment(item, "") for item in self.attach),
                *(_image(item) for item in self.inline),
            ),
            from_name=self.from_name,
            headers=tuple(_header(item) for item in self.headers),
            auto_submitted=self.auto_submitted,
        )

    def raw_message(self) -> RawMessage:
        """Read a complete mail from standard input; To, Cc and Bcc of the command line replace its own."""
        from reconciler.sending.message import RawMessage  # noqa: PLC0415 - as above

        told = {
            "--subject": self.subject,
            "--from-name": self.from_name,
            "--text": self.text,
            "--text-file": self.text_file,
            "--html": self.html,
            "--html-file": self.html_file,
            "--attach": self.attach,
            "--inline": self.inline,
            "--header": self.headers,
            "--auto-submitted": self.auto_submitted,
        }
        for option, value in told.items():
            if value:
                raise UsageError(
                    f"{option} cannot be combined with --raw, which reads the whole mail from standard input"
                )
        content = sys.stdin.buffer.read()
        return RawMessage(content, (*self.to, *self.cc, *self.bcc))


def _text(text: str | None, path: str | None, option: str) -> str | None:
    if path is None:
        return text
    if text is not None:
        raise UsageError(f"give either {option} or {option}-file, not both")
    if path == STDIN:
        content, name = sys.stdin.buffer.read(), "standard input"
    else:
        name = path
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            fault = disk_fault(error, path)
            raise UsageError(f"{path} cannot be read: {fault.reason}", hint=fault.remedy) from None
    if not content.strip():
        raise UsageError(
            f"the text from {name} is empty", hint=f"To send an empty text, pass {option} ''."
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{name} is not text in UTF-8", hint="Convert it with iconv.") from None


def _attachment(item: str, content_id: str) -> Attachment:
    from reconciler.sending.message import Attachment  # noqa: PLC0415 - only where a mail is composed

    path, mark, kind = item.partition(";type=")
    if mark and not kind:
        raise UsageError(
            f"{item!r} names no media type", hint="Write it as in report;type=application/pdf."
        )
    return Attachment.read(path, content_type=kind, content_id=content_id)


def _image(item: str) -> Attachment:
    content_id, equals, path = item.partition("=")
    if not (equals and content_id and path):
        raise UsageError(
            f"invalid inline image {item!r}", hint="Write logo=logo.png, and cid:logo in the HTML."
        )
    return _attachment(path, content_id)


def _header(item: str) -> tuple[str, str]:
    name, colon, value = item.partition(":")
    if not colon:
        raise UsageError(f"invalid header field {item!r}", hint="Write 'X-Ticket: 4711'.")
    return name.strip(), value.strip()
