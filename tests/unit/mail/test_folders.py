from __future__ import annotations

import pytest

from reconciler.mail.folders import SentBy, choose_sent, find_sent
from reconciler.mail.imap import Folder


def folder(name: str, *flags: str, delimiter: str = "/") -> Folder:
    return Folder(name, delimiter, frozenset(flag.upper() for flag in flags))


INBOX = folder("INBOX")


@pytest.mark.parametrize(
    ("folders", "prefixes", "wanted", "expected"),
    [
        ([INBOX], [], None, None),
        ([INBOX, folder("Sent"), folder("Büroausgang", "\\Sent")], [], None, "Büroausgang"),
        ([folder("Sent", "\\Sent", "\\Noselect"), folder("Sent Items")], [], None, "Sent Items"),
        ([folder("Gesendet"), folder("Sent Items")], [], None, "Sent Items"),
        ([folder("GESENDETE ELEMENTE")], [], None, "GESENDETE ELEMENTE"),
        ([folder("送信済み")], [], None, "送信済み"),
        ([folder("INBOX.Sent", delimiter=".")], [], None, "INBOX.Sent"),
        ([folder("mail/Sent")], ["mail/"], None, "mail/Sent"),
        ([folder("mail/Sent")], [], None, None),
        ([folder("Projects/Sent")], [], None, None),
        ([folder("Outgoing"), folder("Sent", "\\Sent")], [], "Outgoing", "Outgoing"),
        ([folder("Sent", "\\Sent")], [], "Outgoing", None),
    ],
)
def test_which_folder_holds_sent_mail(
    folders: list[Folder], prefixes: list[str], wanted: str | None, expected: str | None
) -> None:
    assert find_sent(folders, prefixes, wanted) == expected


def test_why_a_folder_is_the_one_for_sent_mail() -> None:
    marked = folder("Büroausgang", "\\Sent")
    assert choose_sent([INBOX, marked], []) == ("Büroausgang", SentBy.MARK)
    assert choose_sent([INBOX, folder("Gesendet")], []) == ("Gesendet", SentBy.NAME)
    assert choose_sent([INBOX, marked], [], "INBOX") == ("INBOX", SentBy.SETTING)
