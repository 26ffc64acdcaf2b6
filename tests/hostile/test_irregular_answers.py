"""Answers that violate the standard and that nothing depends on: the account still works."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.connection.failure import ErrorClass, Stage
from reconciler.mail.imap_lines import Folder, folder_of, items, lines, namespaces_of, quotas_of
from reconciler.model.protocol import Protocol
from tests.hostile.scripts import CAPABILITIES, imap
from tests.hostile.server import Gone

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.probe.doctor import ExaminedAccount
    from tests.hostile.conftest import Attack
    from tests.hostile.server import Peer

SENT = '* LIST (\\Sent) "/" Sent\r\n'
DONE = "{tag} OK done\r\n"


def listing(line: str) -> str:
    return f'* LIST () "/" INBOX\r\n{line}\r\n{SENT}{DONE}'


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ('*  LIST  ()  "/"  Two', "Two"),
        ('*\tLIST\t()\t"/"\tTab', "Tab"),
        ('* list () "/" small', "small"),
        ('* LIST () "/" [Gmail]', "[Gmail]"),
        ('* LIST () "/" a[b]c{d}e*%&!#$', "a[b]c{d}e*%&!#$"),
        ('* LIST () "/" "Two words"', "Two words"),
        ('* LIST () "/" {5}\r\na "b"', 'a "b"'),
        ('* LIST () "/" {3}\r\nabc ("CHILDINFO" ("SUBSCRIBED"))', "abc"),
        ('* LIST () "/" Ext ("OLDNAME" ("Old"))', "Ext"),
        ('* LIST () "/" 2024', "2024"),
        ("* LIST () NIL Flat", "Flat"),
        ('* LIST (\\HasNoChildren \\X-Foo) "/" "Entw&APw-rfe"', "Entwürfe"),
        ('* LIST () "/" "Entwürfe"', "Entwürfe"),
        ('* LIST () "/" R&D', "R&D"),
        ('* LIST () "/" nil', "NIL"),
        (' * LIST () "/" Indented', "Indented"),
    ],
)
def test_a_folder_is_read_however_it_is_listed(attack: Attack, line: str, name: str) -> None:
    found = attack(Protocol.IMAP, imap(LIST=listing(line)))
    assert found.result.failed is None, found.result
    assert found.detail[Stage.MAILBOX].startswith("3 folders")
    (folder,) = (item for item in _folders(line.encode()) if item.name == name)
    assert folder.selectable


def _folders(line: bytes) -> tuple[Folder, ...]:
    """What the line says, as imaplib would return it."""
    _, _, data = line.replace(b"\t", b" ").partition(b"(")
    text, literal, rest = (b"(" + data).partition(b"\r\n")
    size = int(text[text.rindex(b"{") + 1 : -1]) if literal else 0
    untagged = [(text, rest[:size]), rest[size:]] if literal else [text]
    return tuple(folder_of(items(parts)) for parts in lines(untagged))


@pytest.mark.parametrize(
    "line",
    [
        '* LIST () "/" two words',
        '* LIST () "/" "not closed',
        '* LIST ( "/" open',
        '* LIST () "/"',
        "* LIST nothing of the kind",
        "* LIST",
        '* LIST () "/" a)b',
        '* LIST () "/" "' + "(" * 50,
        "* LIST " + "(" * 50 + ")" * 50,
        "* ?!",
        "*",
        '* {3}\r\nabc "x"',
        "",
        "   ",
        "a line of something else",
        'LIST () "/" unstarred',
        "XXXX1 OK the answer to nobody's command",
        '\x00* LIST () "/" x',
    ],
)
def test_an_unreadable_line_is_skipped_and_counted(
    look: Callable[..., ExaminedAccount], line: str
) -> None:
    found = look(Protocol.IMAP, imap(LIST=listing(line)))
    assert found.result.failed is None, found.result
    assert [folder.name for folder in found.details.folders] == ["INBOX", "Sent"]
    assert found.details.unreadable == 1


@pytest.mark.parametrize(
    "answer",
    [
        "{tag} NO not for you\r\n",
        "{tag} BAD what?\r\n",
        f'* NAMESPACE (("" "/" "X-PARAM" ("A" "B"))) NIL NIL\r\n{DONE}',
        f'* NAMESPACE  ((""\t"/"))  NIL\r\n{DONE}',
        f"* NAMESPACE NIL NIL NIL\r\n{DONE}",
        f"* NAMESPACE nonsense\r\n{DONE}",
        f'* NAMESPACE (("INBOX." ".")) (("#user" NIL)) NIL NIL NIL\r\n{DONE}',
        f"* NAMESPACE\r\n{DONE}",
        DONE,
    ],
)
def test_any_answer_to_namespace_is_accepted(attack: Attack, answer: str) -> None:
    found = attack(Protocol.IMAP, imap(NAMESPACE=answer))
    assert found.result.failed is None, found.result


@pytest.mark.parametrize(
    ("greeting", "answer"),
    [
        ("* OK [CAPABILITY IMAP4rev2 SASL-IR AUTH=PLAIN] hi\r\n", None),
        ("*  OK  [CAPABILITY  IMAP4rev1  SASL-IR\tAUTH=PLAIN]  hi\r\n", None),
        ("* OK hi\r\n", "* CAPABILITY IMAP4rev2 AUTH=PLAIN SASL-IR\r\n"),
        ("* OK hi\r\n", "*  capability  IMAP4rev1\tAUTH=PLAIN  SASL-IR\r\n"),
        ("* OK hi\r\n", "* CAPABILITY imap4rev1 auth=plain sasl-ir X-[odd]\r\n"),
    ],
)
def test_capabilities_are_read_however_they_are_listed(
    attack: Attack, greeting: str, answer: str | None
) -> None:
    listed = answer or f"* CAPABILITY {CAPABILITIES}\r\n"
    found = attack(Protocol.IMAP, imap(greeting=greeting, CAPABILITY=f"{listed}{DONE}"))
    assert found.result.failed is None, found.result
    assert found.detail[Stage.AUTHENTICATION] == "signed in with PLAIN"
    assert found.result.observed is not None
    revision = {"IMAP4REV1", "IMAP4REV2"} & {*found.result.observed.capabilities}
    assert len(revision) == 1, "none is made up"


@pytest.mark.parametrize(
    "answer", ["{tag} BAD no", "{tag} NO no", "{tag} OK none", "* CAPABILITY\r\n{tag} OK"]
)
def test_a_server_that_lists_no_capabilities_is_signed_in_to_with_login(
    attack: Attack, answer: str
) -> None:
    script = imap(greeting="* OK hi\r\n", CAPABILITY=f"{answer}\r\n", LOGIN=DONE)
    found = attack(Protocol.IMAP, script)
    assert found.result.failed is None, found.result
    assert found.detail[Stage.AUTHENTICATION] == "signed in with LOGIN"


def test_capabilities_may_come_in_several_lines(attack: Attack) -> None:
    listed = "* CAPABILITY IMAP4rev1 SASL-IR\r\n* CAPABILITY AUTH=PLAIN\r\n* CAPABILITY\r\n"
    found = attack(Protocol.IMAP, imap(greeting="* OK hi\r\n", CAPABILITY=f"{listed}{DONE}"))
    assert found.detail[Stage.AUTHENTICATION] == "signed in with PLAIN"


@pytest.mark.parametrize(
    "counts", ["", "* EXISTS\r\n", "* x EXISTS\r\n", "* -1 EXISTS\r\n", "* 1 RECENT\r\n"]
)
def test_a_mailbox_whose_messages_are_not_counted_opens(attack: Attack, counts: str) -> None:
    found = attack(Protocol.IMAP, imap(EXAMINE=f"{counts}{DONE}"))
    assert found.result.failed is None, found.result
    assert found.detail[Stage.MAILBOX] == "2 folders, INBOX, sent mail in Sent"


def test_lines_may_end_in_a_line_feed_alone(attack: Attack) -> None:
    answers = {
        "greeting": f"* OK [CAPABILITY {CAPABILITIES}] hi\n",
        "AUTHENTICATE": "{tag} OK hi\n",
        "LIST": listing("").replace("\r\n\r\n", '\n* LIST () "/" {3}\nabc\n').replace("\r", ""),
        "EXAMINE": "* 3 EXISTS\n{tag} OK done\n",
    }
    found = attack(Protocol.IMAP, imap(**answers))
    assert found.detail[Stage.MAILBOX] == "3 folders, 3 messages in INBOX, sent mail in Sent"


def test_a_blank_line_before_the_greeting_is_skipped(attack: Attack) -> None:
    found = attack(Protocol.IMAP, imap(greeting=f"\r\n* OK [CAPABILITY {CAPABILITIES}] hi\r\n"))
    assert found.result.failed is None, found.result


def test_a_tag_in_lower_case_is_ours_and_one_that_comes_twice_is_skipped(attack: Attack) -> None:
    def done(peer: Peer, _: str) -> None:
        ending = f"{peer.lines[-1].split()[0].lower()} OK done\r\n"
        peer.send(SENT + ending + ending)

    found = attack(Protocol.IMAP, imap(LIST=done))
    assert found.detail[Stage.MAILBOX] == "1 folder, 3 messages in INBOX, sent mail in Sent"


def test_the_error_quotes_a_line_after_which_nothing_comes(attack: Attack) -> None:
    def gives_up(peer: Peer, _: str) -> None:
        peer.send("421 shutting down\r\n")
        raise Gone

    stage, failure = attack(Protocol.IMAP, imap(LIST=gives_up)).failure
    assert (stage, failure.error_class) == (Stage.MAILBOX, ErrorClass.PROTOCOL)
    assert failure.reply == "421 shutting down"


@pytest.mark.parametrize("ending", ["{tag}  OK  done", "{tag} ok", "{tag}\tOK\tdone", "{tag} OK"])
def test_extra_blanks_in_a_tagged_answer_are_accepted(attack: Attack, ending: str) -> None:
    script = imap(LIST=f"{SENT}{ending}\r\n", EXAMINE=f"*  3  EXISTS\r\n{ending}\r\n")
    found = attack(Protocol.IMAP, script)
    assert found.result.failed is None, found.result


@pytest.mark.parametrize(
    "answer",
    ["{tag} NO no\r\n", "{tag} BAD no\r\n", f"* ID nonsense (\r\n{DONE}", f"* ?\r\n{DONE}"],
)
def test_any_answer_to_id_is_accepted(attack: Attack, answer: str) -> None:
    greeting = f"* OK [CAPABILITY {CAPABILITIES} ID] hi\r\n"
    signed_in = f"{{tag}} OK [CAPABILITY {CAPABILITIES} ID] welcome\r\n"
    found = attack(Protocol.IMAP, imap(greeting=greeting, AUTHENTICATE=signed_in, ID=answer))
    assert found.result.failed is None, found.result


@given(
    text=st.binary(max_size=60)
    | st.text(st.sampled_from('()"\\ {}NIL a1\t'), max_size=60).map(str.encode)
)
def test_a_line_is_read_or_reported_as_unreadable(text: bytes) -> None:
    for read in (folder_of, namespaces_of, quotas_of):
        try:
            read(items([text]))
        except ValueError:
            continue


@pytest.mark.parametrize("ok", ["{tag} OK\r\n", "{tag}  ok \r\n", "{tag} OK\t\r\n"])
def test_an_answer_without_text_is_an_answer(attack: Attack, ok: str) -> None:
    capabilities = "IMAP4rev1 NAMESPACE ID"
    found = attack(
        Protocol.IMAP,
        imap(
            greeting="* OK\r\n",
            CAPABILITY=f"* CAPABILITY {capabilities}\r\n{ok}",
            ID=f"* ID NIL\r\n{ok}",
            AUTHENTICATE=ok,
            LOGIN=ok,
            NAMESPACE=f'* NAMESPACE (("" "/")) NIL NIL\r\n{ok}',
            LIST=f'* LIST () "/" INBOX\r\n{SENT}{ok}',
            EXAMINE=f"* 3 EXISTS\r\n* OK\r\n{ok}",
        ),
    )
    assert found.result.failed is None, found.result


@pytest.mark.parametrize("no", ["{tag} NO\r\n", "{tag} BAD\r\n"])
def test_a_refusal_without_text_is_a_refusal(attack: Attack, no: str) -> None:
    found = attack(Protocol.IMAP, imap(AUTHENTICATE=no, LOGIN=no))
    assert found.result.failed is not None
    assert found.result.failed.stage is Stage.AUTHENTICATION, found.result
