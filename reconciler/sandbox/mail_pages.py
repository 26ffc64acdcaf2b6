"""The pages on which a browser shows the sandbox's mail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from reconciler.sandbox.html_text import Html, fill, joined

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reconciler.sandbox.opened_mail import OpenedMail

OUTSIDE: Final = "Outside the sandbox"
"""The heading of mail to addresses that no connector has, which would have left."""

_LONGEST_TEXT: Final = 1_000_000
"""How many characters of a text a page shows."""

STYLE: Final = """\
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 70rem; padding: 1rem; color: #1c1c1c; }
h1 { font-size: 1.3rem; overflow-wrap: anywhere; }
h2 { font-size: 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #ddd;
  overflow-wrap: anywhere; }
.headers th { width: 8rem; font-weight: 600; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: #f6f6f6; padding: .8rem; }
iframe { width: 100%; height: 32rem; border: 1px solid #bbb; background: #fff; }
a { color: #0550ae; }
.note { color: #8a2b06; }
"""

_PAGE: Final = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title} - reconciler sandbox</title>
<link rel="stylesheet" href="{root}style.css">
<link rel="icon" href="data:,">
</head>
<body>
{content}
</body>
</html>
"""


class PagePlace(Struct, frozen=True):
    """A folder, or the mail outside: the first page's link, a title, and a link of its own."""

    root: str
    title: str
    link: str


class FolderLine(Struct, frozen=True):
    """A line of the first page."""

    mailbox: str
    folder: str
    link: str
    mails: int


class MailLine(Struct, frozen=True):
    """A line of a folder's list."""

    link: str
    headers: Mapping[str, str]


def overview(folders: Sequence[FolderLine]) -> Html:
    """Return the first page: every folder, and how many mails are in it."""
    rows = joined(
        fill(
            '<tr><td>{mailbox}</td><td><a href="{link}">{folder}</a></td><td>{mails}</td></tr>\n',
            mailbox=line.mailbox,
            link=line.link,
            folder=line.folder or "recipients that no connector has",
            mails=line.mails,
        )
        for line in folders
    )
    content = fill(
        "<h1>Mail in the sandbox</h1>\n<table>\n<tr><th>Mailbox</th><th>Folder</th><th>Mails</th></tr>\n"
        "{rows}</table>\n<p>Reload the page to see new mail. Nothing has left this machine.</p>",
        rows=rows,
    )
    return fill(
        _PAGE, title="Mailboxes", root=folders[-1].link.removesuffix("outside/"), content=content
    )


def listing(place: PagePlace, mails: Iterable[MailLine], *, total: int) -> Html:
    """Return the list of a folder, newest first."""
    rows = [
        fill(
            '<tr><td>{sender}</td><td>{to}</td><td><a href="{link}">{subject}</a></td><td>{date}</td></tr>\n',
            sender=mail.headers.get("From", ""),
            to=mail.headers.get("Delivered-To") or mail.headers.get("To", ""),
            link=mail.link,
            subject=mail.headers.get("Subject") or "(no subject)",
            date=mail.headers.get("Date", ""),
        )
        for mail in mails
    ]
    note = Html("")
    if len(rows) < total:
        note = fill(
            '<p class="note">These are the newest {shown} of {total}.</p>',
            shown=len(rows),
            total=total,
        )
    content = fill(
        '<p><a href="{root}">All mailboxes</a></p>\n<h1>{title}</h1>\n{note}<table>\n'
        "<tr><th>From</th><th>To</th><th>Subject</th><th>Date</th></tr>\n{rows}</table>\n{empty}",
        root=place.root,
        title=place.title,
        note=note,
        rows=joined(rows),
        empty="" if rows else "No mail yet.",
    )
    return fill(_PAGE, title=place.title, root=place.root, content=content)


def reading(place: PagePlace, link: str, mail: OpenedMail) -> Html:
    """Return the page of one mail. Its HTML comes in a frame without scripts, forms and an origin."""
    headers = dict(mail.headers)
    subject = headers.pop("Subject", "") or "(no subject)"
    content = fill(
        '<p><a href="{root}">All mailboxes</a> / <a href="{folder}">{title}</a></p>\n<h1>{subject}</h1>\n'
        '<table class="headers">\n{headers}</table>\n<p><a href="{link}source">Source</a></p>\n'
        "{problem}{attachments}{html}{text}",
        root=place.root,
        folder=place.link,
        title=place.title,
        subject=subject,
        headers=joined(
            fill("<tr><th>{name}</th><td>{value}</td></tr>\n", name=name, value=value)
            for name, value in headers.items()
        ),
        link=link,
        problem=fill('<p class="note">{problem}</p>\n', problem=mail.problem)
        if mail.problem
        else "",
        attachments=_attachments(link, mail),
        html=_frame(link) if mail.html is not None else "",
        text=_text(mail.text) if mail.text is not None else "",
    )
    return fill(_PAGE, title=subject, root=place.root, content=content)


def _attachments(link: str, mail: OpenedMail) -> Html:
    if not mail.attachments:
        return Html("")
    items = joined(
        fill(
            '<li><a href="{link}attachment/{number}" download="{name}">{name}</a> ({kind}, {size} octets)</li>\n',
            link=link,
            number=number,
            name=attachment.name,
            kind=attachment.content_type,
            size=len(attachment.content),
        )
        for number, attachment in enumerate(mail.attachments, 1)
    )
    return fill("<h2>Attachments</h2>\n<ul>\n{items}</ul>\n", items=items)


def _frame(link: str) -> Html:
    return fill(
        '<h2>HTML</h2>\n<iframe sandbox="" referrerpolicy="no-referrer" title="HTML of the mail"'
        ' src="{link}html"></iframe>\n',
        link=link,
    )


def _text(text: str) -> Html:
    cut = len(text) > _LONGEST_TEXT
    note = (
        fill('<p class="note">{note}</p>\n', note="The source has the rest of this text.")
        if cut
        else ""
    )
    return fill("<h2>Text</h2>\n<pre>{text}</pre>\n{note}", text=text[:_LONGEST_TEXT], note=note)
