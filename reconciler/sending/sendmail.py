"""The command line and the behaviour of sendmail.

The options are those of sendmail 8 and of Postfix (https://www.postfix.org/sendmail.1.html).
Options for a queue or a daemon are refused; those for notifications or queueing are accepted and
ignored.
"""

from __future__ import annotations

import getopt
import re
import unicodedata
from email.headerregistry import Address
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from reconciler.errors import NoSuchUser, UsageError
from reconciler.sending.addresses import read_addresses, refuse_control_characters
from reconciler.sending.headers import address_field
from reconciler.sending.message import RawMessage
from reconciler.sending.raw import asked_of, recipients_of, without_from
from reconciler.sending.raw_head import without_marks
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_OPTIONS = "A:B:C:F:GIL:N:O:R:UV:X:b:ce:f:h:imno:p:q:r:stvx"
_MODES = {
    "d": "there is no daemon to start",
    "s": "SMTP on standard input (-bs) is not supported; use -t, or name recipients",
    "p": "there is no queue to list: a mail goes out while sendmail runs, or its exit code says that it did not",
    "i": "there are no aliases to initialise",
    "v": "addresses are not verified without a mail; `reconciler route` shows the route that one would take",
}
_NO_QUEUE = "there is no queue to run: a mail goes out at once"
_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:[^\n]*\n?")
_LINE_END = re.compile(rb"\r+\n")
_LONE_BREAK = re.compile(rb"\r+")
_NO_LETTER = re.compile(r"[^a-z]")
_COMMENT = re.compile(rb"\([^()\n]*\)")
_FURTHER_LINE = re.compile(rb"[ \t][^\n]*\n?")
_KNOWN = frozenset({
    b"from", b"sender", b"reply-to", b"to", b"cc", b"bcc", b"subject", b"date", b"message-id", b"received",
    b"return-path", b"in-reply-to", b"references", b"mime-version", b"auto-submitted", b"precedence",
    b"importance", b"priority", b"keywords", b"comments", b"organization", b"user-agent", b"errors-to",
})  # fmt: skip
_KNOWN_BEGINNINGS = (b"x-", b"content-", b"resent-", b"list-")


class Call(Struct, frozen=True):
    """The arguments of one call. ``dot_ends`` is whether a lone dot ends the input, as it does without -i."""

    recipients: tuple[str, ...] = ()
    from_fields: bool = False
    dot_ends: bool = True
    sender: str = ""
    name: str = ""
    verbose: bool = False


def parse(arguments: Sequence[str]) -> Call:
    """Parse the arguments; raises UsageError for unknown or unsupported ones."""
    try:
        options, recipients = getopt.gnu_getopt(list(arguments), _OPTIONS)
    except getopt.GetoptError as error:
        if problem := _refusal(f"-{error.opt}", ""):
            raise UsageError(f"sendmail -{error.opt}: {problem}") from None
        raise UsageError(f"sendmail: {error.msg}", hint="reconciler sendmail --help") from None
    call = Call(tuple(recipients))
    for option, value in options:
        call = _with(call, option, value)
    if not call.recipients and not call.from_fields:
        raise UsageError(
            "sendmail: no recipient is named",
            hint="name them as arguments, or take them from To, Cc and Bcc with -t",
        )
    return call


def _with(call: Call, option: str, value: str) -> Call:
    if problem := _refusal(option, value):
        raise UsageError(f"sendmail {option}{value}: {problem}")
    changes: dict[str, dict[str, Any]] = {
        "-t": {"from_fields": True},
        "-i": {"dot_ends": False},
        "-o": {"dot_ends": call.dot_ends and value != "i"},
        "-f": {"sender": value.strip("<> ")},
        "-r": {"sender": value.strip("<> ")},
        "-F": {"name": value},
        "-v": {"verbose": True},
    }
    return replace(call, **changes.get(option, {}))


def _refusal(option: str, value: str) -> str:
    if option == "-b":
        return "" if value == "m" else _MODES.get(value[:1], "this mode is unknown")
    return {"-I": _MODES["i"], "-q": _NO_QUEUE, "-s": _NO_QUEUE}.get(option, "")


def until_dot(lines: Iterable[bytes]) -> bytes:
    """The lines before the first one with only a dot."""
    kept = []
    for line in lines:
        if line.rstrip(b"\r\n") == b".":
            break
        kept.append(line)
    return b"".join(kept)


def mail_of(call: Call, content: bytes) -> RawMessage:
    """The mail to send.

    Text without header fields becomes a mail of its own, as in ``echo hello | sendmail
    ada@example.com``, and so does text whose first line only looks like one (``Disk: full``). The first
    line that is not a field begins the text, as with every sendmail, so that nothing is lost. A sender
    without a domain (``root``, in mail from cron) is meaningless elsewhere, so -f replaces it, or else
    the connector's own address. Raises NoSuchUser, and UsageError if the text is not a mail.
    """
    text = _LINE_END.sub(b"\n", without_marks(content))
    mail = RawMessage(_with_head(text, asked=call.from_fields))
    named = recipients_of(mail) if call.from_fields else ()
    recipients = tuple(dict.fromkeys((*call.recipients, *named)))
    for recipient in recipients:
        if "@" not in recipient:
            raise NoSuchUser(
                f"{recipient} is a mailbox of this machine, and mail is not delivered there",
                hint="name a full address; in a crontab: MAILTO=ada@example.com",
            )
    asked, _ = asked_of(mail)
    if asked is None or "@" not in asked:
        field = _author(call.sender, call.name) if "@" in call.sender else ""
        mail = without_from(mail, field)
    return replace(mail, recipients=recipients)


def _with_head(content: bytes, *, asked: bool) -> bytes:
    """The input with a head of fields, and an empty line after it.

    ``asked`` says whether to read the recipients from the fields. Raises UsageError if a hidden recipient
    would become part of the text.
    """
    end = 0
    names = set()
    while field := _FIELD.match(content, end):
        names.add(field[1].lower())
        end = field.end()
        while further := _FURTHER_LINE.match(content, end):
            end = further.end()
    known = any(map(_is_known, names))
    text = content[end:] if known else content
    if not known or not text.startswith(b"\n"):
        _refuse_hidden(text, asked=asked or known)
    if not known:
        return b"To: undisclosed-recipients:;\n\n" + content.removeprefix(b"\n")
    return content[:end].rstrip(b"\n") + b"\n\n" + text.removeprefix(b"\n")


def _is_known(name: bytes) -> bool:
    return name in _KNOWN or name.startswith(_KNOWN_BEGINNINGS)


def _refuse_hidden(text: bytes, *, asked: bool) -> None:
    """Raise UsageError if a Bcc field is among the first lines of the text.

    That happens if a line before it is not a field, so that the head ends there; every recipient would
    read the address.
    """
    paragraph = _LONE_BREAK.sub(b"\n", text.lstrip(b"\n").partition(b"\n\n")[0])
    names = [
        _NO_LETTER.sub("", unicodedata.normalize("NFKC", line.decode("utf-8", "ignore")).lower())
        for line, colon, _ in (
            item.partition(b":") for item in _COMMENT.sub(b"", paragraph).split(b"\n")
        )
        if colon
    ]
    if not {"bcc", "resentbcc"}.isdisjoint(names) and (
        asked or any(_is_known(name.encode()) for name in names if name != "bcc")
    ):
        raise UsageError(
            "the mail names a hidden recipient (Bcc) below a line that is not a header field",
            hint="Put the line right: everything after it is text that all recipients read.",
        )


def _author(sender: str, name: str) -> str:
    refuse_control_characters(name, "sendmail -F")
    (address,) = read_addresses([sender], "sendmail -f")
    return address_field("From", [Address(name, address.username, address.domain)])
