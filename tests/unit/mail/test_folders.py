from __future__ import annotations

import unicodedata

import pytest

from reconciler.mail.folders import (
    NO_NAMESPACES,
    Namespaces,
    SentBy,
    choose_sent,
    find_sent,
    nearest,
)
from reconciler.mail.imap_lines import Folder


def folder(name: str, *flags: str, delimiter: str = "/") -> Folder:
    return Folder(name, delimiter, frozenset(flag.upper() for flag in flags))


INBOX = folder("INBOX")
SHARED = Namespaces(own=("",), foreign=("user/", "Public/"))
CYRUS = Namespaces(own=("INBOX.",), foreign=("user.", ""))
DECOMPOSED = unicodedata.normalize("NFD", "Éléments envoyés")


@pytest.mark.parametrize(
    ("folders", "namespaces", "desired", "expected"),
    [
        ([INBOX], NO_NAMESPACES, None, None),
        (
            [INBOX, folder("Sent"), folder("Büroausgang", "\\Sent")],
            NO_NAMESPACES,
            None,
            "Büroausgang",
        ),
        (
            [folder("Sent", "\\Sent", "\\Noselect"), folder("Sent Items")],
            SHARED,
            None,
            "Sent Items",
        ),
        ([folder("Gesendet"), folder("Sent Items")], NO_NAMESPACES, None, "Sent Items"),
        ([folder("GESENDETE ELEMENTE")], NO_NAMESPACES, None, "GESENDETE ELEMENTE"),
        ([folder("送信済み")], NO_NAMESPACES, None, "送信済み"),
        ([folder(DECOMPOSED)], NO_NAMESPACES, None, DECOMPOSED),
        ([folder("INBOX.Sent", delimiter=".")], NO_NAMESPACES, None, "INBOX.Sent"),
        ([folder("Inbox.Sent", delimiter=".")], NO_NAMESPACES, None, "Inbox.Sent"),
        ([folder("mail/Sent")], Namespaces(own=("mail/",)), None, "mail/Sent"),
        ([folder("mail/Sent")], NO_NAMESPACES, None, None),
        ([folder("Projects/Sent")], NO_NAMESPACES, None, None),
        ([folder("Inboxes/Sent")], NO_NAMESPACES, None, None),
        ([folder("Outgoing"), folder("Sent", "\\Sent")], NO_NAMESPACES, "Outgoing", "Outgoing"),
        ([folder("Sent", "\\Sent")], NO_NAMESPACES, "Outgoing", None),
    ],
)
def test_which_folder_holds_sent_mail(
    folders: list[Folder], namespaces: Namespaces, desired: str | None, expected: str | None
) -> None:
    assert find_sent(folders, namespaces, desired) == expected


@pytest.mark.parametrize(
    ("folders", "namespaces", "expected"),
    [
        (["user/bob/Sent*", "Sent*"], SHARED, "Sent"),
        (["user/bob/Sent*", "Public/Sent*", "Gesendet"], SHARED, "Gesendet"),
        (["user/bob/Sent*", "Public/Sent*", "INBOX"], SHARED, None),
        (["user.bob.Sent*", "INBOX.Sent*"], CYRUS, "INBOX.Sent"),
        (["user.bob.Sent*", "inbox.Gesendet"], CYRUS, "inbox.Gesendet"),
        (["Sent*"], Namespaces(foreign=("",)), "Sent"),
        (["userland/Sent", "Sent*"], SHARED, "Sent"),
        (["Other Users/bob/Sent*", "Sent*"], NO_NAMESPACES, "Sent"),
        (["Archive/2020*", "Büroausgang*"], NO_NAMESPACES, "Büroausgang"),
        (["Archive/2020*", "INBOX/Gesendet*"], NO_NAMESPACES, "INBOX/Gesendet"),
    ],
)
def test_a_copy_never_goes_to_another_users_folder(
    folders: list[str], namespaces: Namespaces, expected: str | None
) -> None:
    listed = [
        folder(name.rstrip("*"), *(["\\Sent"] if name.endswith("*") else []),
               delimiter="." if "." in name else "/")
        for name in folders
    ]  # fmt: skip
    assert find_sent(listed, namespaces) == expected


@pytest.mark.parametrize(
    ("desired", "there", "delimiter"),
    [
        ("Sent", "INBOX.Sent", "."),
        ("INBOX/Sent", "INBOX.Sent", "."),
        ("inbox.sent mail", "INBOX.sent mail", "."),
        ("Inbox", "INBOX", "/"),
        ("inbox/Sent", "INBOX/Sent", "/"),
        ("Archive.2026.Sent", "Archive/2026/Sent", "/"),
        ("Archive/Sent", "INBOX.Archive.Sent", "."),
        ("Gesendete Entwürfe", unicodedata.normalize("NFD", "Gesendete Entwürfe"), "/"),
        (unicodedata.normalize("NFD", "Envoyés à Zoë"), "Envoyés à Zoë", "/"),
        ("Sent", "Sent", ""),
        ("user/bob/Sent", "user/bob/Sent", "/"),
    ],
)
def test_a_folder_that_is_set_is_found_as_people_write_it(
    desired: str, there: str, delimiter: str
) -> None:
    listed = [folder("Sent.else", delimiter=delimiter), folder(there, delimiter=delimiter)]
    assert choose_sent(listed, SHARED, desired) == (there, SentBy.SETTING)


def test_the_name_as_it_is_written_comes_before_what_it_may_mean() -> None:
    listed = [folder("INBOX/Sent"), folder("Sent"), folder("a/b"), folder("a.b")]
    assert find_sent(listed, NO_NAMESPACES, "Sent") == "Sent"
    assert find_sent(listed, NO_NAMESPACES, "a.b") == "a.b"
    assert find_sent(listed, NO_NAMESPACES, "SENT") is None


def test_why_a_folder_is_the_one_for_sent_mail() -> None:
    marked = folder("Büroausgang", "\\Sent")
    assert choose_sent([INBOX, marked]) == ("Büroausgang", SentBy.MARK)
    assert choose_sent([INBOX, folder("Gesendet")]) == ("Gesendet", SentBy.NAME)
    assert choose_sent([INBOX, marked], desired="INBOX") == ("INBOX", SentBy.SETTING)


def test_the_names_that_are_listed_are_those_most_like_the_one_that_is_missing() -> None:
    names = [f"Folder {number}" for number in range(300)] + ["Sent Items"]
    assert nearest(names, "Sent", 2)[0] == "Sent Items"
    assert nearest(names, None, 2) == ("Folder 0", "Folder 1")
    assert len(nearest(names, "Sent", 10)) == 10
