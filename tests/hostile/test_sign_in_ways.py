"""Servers that ask for more before they open a mailbox, or prompt in their own words."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from reconciler.connection.failure import ErrorClass, Stage
from reconciler.model.connector import Security
from reconciler.model.protocol import Protocol
from reconciler.sending.outcome import CopyStatus
from tests.hostile.conftest import LETTER, PASSWORD
from tests.hostile.scripts import QUEUED, SELECTED, append, hang_up, imap, smtp

if TYPE_CHECKING:
    from tests.hostile.conftest import Attack, Open
    from tests.hostile.scripts import Answer
    from tests.hostile.server import Peer, Script

IMAP, SMTP = Protocol.IMAP, Protocol.SMTP
NETEASE = "IMAP4rev1 XLIST SPECIAL-USE ID LITERAL+ UIDPLUS"
UNSAFE = "NO EXAMINE Unsafe Login. Please contact kefu@188.com for help"


def netease(answer: str = '* ID ("name" "Coremail Imap")\r\n{tag} OK ID completed\r\n') -> Script:
    """A mailbox that opens only for a client that has sent ID."""

    def examine(peer: Peer, _: str) -> None:
        tag = peer.lines[-1].partition(" ")[0]
        known = any(" ID " in line for line in peer.lines)
        peer.send(f"* 3 EXISTS\r\n{tag} OK done\r\n" if known else f"{tag} {UNSAFE}\r\n")

    answers: dict[str, Answer] = {
        **SELECTED,
        "greeting": f"* OK [CAPABILITY {NETEASE}] Coremail ready\r\n",
        "LOGIN": "{tag} OK LOGIN completed\r\n",
        "EXAMINE": examine,
        "APPEND": append("{tag} OK done\r\n"),
        "ID": answer,
    }
    return imap(**answers)


@pytest.mark.parametrize(
    "answer",
    [
        '* ID ("name" "Coremail Imap" "vendor" "NetEase")\r\n{tag} OK ID completed\r\n',
        "* ID NIL\r\n{tag} OK ID\r\n",
        "{tag} OK done\r\n",
        "{tag} NO not for you\r\n",
        "{tag} BAD what?\r\n",
        '* ID ("name" {4}\r\na)b" NIL)\r\n{tag} OK done\r\n',
        "* ID (((\r\n{tag} OK done\r\n",
    ],
)
def test_a_server_that_offers_id_gets_it_before_a_mailbox_is_opened(
    attack: Attack, answer: str
) -> None:
    found = attack(IMAP, netease(answer))
    assert found.result.failed is None
    assert found.server.commands("ID") == [line for line in found.server.lines if " ID (" in line]
    assert len(found.server.commands("ID")) == 1
    assert found.server.peers[0].round_trips == 3  # greeting, LOGIN, and all the rest together


def test_a_server_that_does_not_offer_id_is_not_sent_it(attack: Attack) -> None:
    assert attack(IMAP, imap()).server.commands("ID") == []


def test_hanging_up_at_id_is_a_lost_connection(attack: Attack) -> None:
    greeting = f"* OK [CAPABILITY {NETEASE}] ready\r\n"
    script = imap(greeting=greeting, LOGIN="{tag} OK done\r\n", ID=hang_up)
    stage, failure = attack(IMAP, script).failure
    assert (stage, failure.error_class) == (Stage.MAILBOX, ErrorClass.PROTOCOL)


def test_the_copy_is_filed_where_id_comes_first(opened: Open) -> None:
    copies = opened(smtp(DATA=QUEUED), netease())
    copy = copies.mailer.send(LETTER, connector="support").copy
    assert (copy.status, copy.folder) == (CopyStatus.APPENDED, "Sent")


def test_a_sign_in_that_is_rejected_as_unsafe_is_explained(attack: Attack) -> None:
    script = imap(
        greeting=f"* OK [CAPABILITY {NETEASE}] ready\r\n",
        LOGIN="{tag} OK done\r\n",
        ID="{tag} OK done\r\n",
        EXAMINE=f"{{tag}} {UNSAFE}\r\n",
    )
    stage, failure = attack(IMAP, script).failure
    assert (stage, failure.error_class) == (Stage.MAILBOX, ErrorClass.MAILBOX_NOT_CONNECTED)
    assert "authorisation code" in failure.remedy


def cram(peer: Peer, arguments: str) -> None:
    tag = peer.lines[-1].partition(" ")[0]
    assert arguments == "CRAM-MD5"
    peer.send(f"+ {base64.b64encode(b'<1.2@hostile.example>').decode()}\r\n")
    user, _, digest = base64.b64decode(peer.line()).decode().rpartition(" ")
    assert user == "support@hostile.example"
    right = (
        digest == "e35f004e6ff2c66f2e03ac5612b32f51"
    )  # of the password and the challenge (RFC 2195)
    peer.send(f"{tag} OK done\r\n" if right else f"{tag} NO [AUTHENTICATIONFAILED] no\r\n")


@pytest.mark.parametrize("more", ["", "SASL-IR AUTH=PLAIN ", "LOGINDISABLED ", "AUTH=LOGIN "])
def test_cram_md5_keeps_the_password_out_of_plain_text_over_imap(attack: Attack, more: str) -> None:
    greeting = f"* OK [CAPABILITY IMAP4rev1 {more}AUTH=CRAM-MD5] ready\r\n"
    script = imap(greeting=greeting, AUTHENTICATE=cram)
    found = attack(IMAP, script, security=Security.NONE)
    assert found.result.failed is None, found.result
    assert found.detail[Stage.AUTHENTICATION] == "signed in with CRAM-MD5"
    assert not [line for line in found.server.lines if PASSWORD in line]


def test_inside_tls_cram_md5_is_the_last_resort(attack: Attack) -> None:
    offers = "* OK [CAPABILITY IMAP4rev1 {}AUTH=CRAM-MD5] ready\r\n"
    script = imap(greeting=offers.format(""))
    assert attack(IMAP, script).detail[Stage.AUTHENTICATION] == "signed in with LOGIN"
    script = imap(greeting=offers.format("LOGINDISABLED "), AUTHENTICATE=cram)
    assert attack(IMAP, script).detail[Stage.AUTHENTICATION] == "signed in with CRAM-MD5"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("VXNlcm5hbWU6", "UGFzc3dvcmQ6"),
        ("Username:", "Password:"),
        ("", ""),
        ("dXNlciBuYW1lPw==", "Geheimes Wort?"),
        ("Nom d'utilisateur :", "Mot de passe - ségrète"),
        ("UGFzc3dvcmQ6", "VXNlcm5hbWU6"),
        ("=====", "%%%"),
    ],
)
@pytest.mark.parametrize("password", [PASSWORD, "Schlüssel-漢字", "a b\tc"])
def test_the_prompts_of_auth_login_are_not_read(
    attack: Attack, first: str, second: str, password: str
) -> None:
    said: list[str] = []

    def login(peer: Peer, arguments: str) -> None:
        assert arguments == "LOGIN"
        for prompt in (first, second):
            peer.send(f"334 {prompt}\r\n")
            said.append(base64.b64decode(peer.line()).decode())
        peer.send("235 ok\r\n" if said[1] == password else "535 no\r\n")

    script = smtp(EHLO="250-x\r\n250 AUTH LOGIN\r\n", AUTH=login)
    found = attack(SMTP, script, password=password)
    assert found.result.failed is None, found.result
    assert said == ["support@hostile.example", password]


def test_a_third_prompt_of_auth_login_cancels_the_sign_in(attack: Attack) -> None:
    def login(peer: Peer, _: str) -> None:
        said = ""
        for prompt in ("who?", "and?", "what else?"):
            peer.send(f"334 {prompt}\r\n")
            said = peer.line()
        assert said == "*"
        peer.send("501 5.7.0 cancelled\r\n")

    stage, failure = attack(SMTP, smtp(EHLO="250-x\r\n250 AUTH LOGIN\r\n", AUTH=login)).failure
    assert stage is Stage.AUTHENTICATION
    assert failure.error_class in {ErrorClass.AUTH_MECH_UNAVAILABLE, ErrorClass.AUTH_REJECTED}
