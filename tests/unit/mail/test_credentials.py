from __future__ import annotations

import base64

import pytest

from reconciler.mail.credentials import (
    BearerToken,
    Dialogue,
    Password,
    check_sendable,
    choose,
    initial_response,
)
from reconciler.mail.faults import NoMechanism, Unsendable
from reconciler.secrets.base import Secret

PLAIN = Password("me@example.com", Secret("pass"))
BEYOND_ASCII = Password("me@example.com", Secret("pässwörd"))
TOKEN = BearerToken("me@example.com", Secret("token"))
ALL = ("PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2", "OAUTHBEARER")


@pytest.mark.parametrize(
    ("credential", "offered", "encrypted", "chosen"),
    [
        (PLAIN, ALL, True, "PLAIN"),
        (PLAIN, ALL, False, "CRAM-MD5"),
        (PLAIN, ("login", "cram-md5"), True, "LOGIN"),
        (BEYOND_ASCII, ALL, False, "PLAIN"),
        (BEYOND_ASCII, ("LOGIN", "CRAM-MD5"), True, "LOGIN"),
        (TOKEN, ALL, True, "XOAUTH2"),
        (TOKEN, ("OAUTHBEARER", "PLAIN"), True, "OAUTHBEARER"),
    ],
)
def test_one_mechanism_is_chosen(
    credential: Password | BearerToken, offered: tuple[str, ...], encrypted: bool, chosen: str
) -> None:
    assert choose(credential, offered, encrypted=encrypted, known=ALL) == chosen


@pytest.mark.parametrize(
    ("credential", "offered"),
    [(PLAIN, ()), (PLAIN, ("XOAUTH2",)), (TOKEN, ("PLAIN",)), (BEYOND_ASCII, ("CRAM-MD5",))],
)
def test_no_mechanism_is_invented(
    credential: Password | BearerToken, offered: tuple[str, ...]
) -> None:
    with pytest.raises(NoMechanism) as none:
        choose(credential, offered, encrypted=True, known=ALL)
    assert none.value.offered == offered


def test_each_mechanism_encodes_the_credential_its_own_way() -> None:
    assert initial_response("PLAIN", BEYOND_ASCII) == "\0me@example.com\0pässwörd".encode()
    assert initial_response("LOGIN", PLAIN) is None
    assert initial_response("XOAUTH2", TOKEN) == (
        b"user=me@example.com\x01auth=Bearer token\x01\x01"
    )
    odd = BearerToken("a=b,c", Secret("token"))
    assert initial_response("OAUTHBEARER", odd) == b"n,a=a=3Db=2Cc,\x01auth=Bearer token\x01\x01"


def test_cram_md5_answers_as_in_its_rfc() -> None:
    dialogue = Dialogue("CRAM-MD5", Password("tim", Secret("tanstaaftanstaaf")))
    assert dialogue.start() is None
    challenge = base64.b64encode(b"<1896.697170952@postoffice.reston.mci.net>")
    answer = dialogue.answer(challenge)
    assert answer is not None
    assert base64.b64decode(answer) == b"tim b913a602c7eda7a495b4e6e7334d3890"
    assert dialogue.answer(challenge) is None


@pytest.mark.parametrize(("mechanism", "end"), [("XOAUTH2", ""), ("OAUTHBEARER", "AQ==")])
def test_the_reason_of_a_refused_token_is_kept(mechanism: str, end: str) -> None:
    dialogue = Dialogue(mechanism, TOKEN)
    assert dialogue.start()
    assert dialogue.answer(base64.b64encode(b'{"status":"401"}')) == end
    assert dialogue.challenge == '{"status":"401"}'
    assert dialogue.answer(b"") is None


def test_a_challenge_that_is_not_base64_is_an_error() -> None:
    with pytest.raises(ValueError, match=r".*"):
        Dialogue("CRAM-MD5", PLAIN).answer(b"Username:")


@pytest.mark.parametrize(
    "credential",
    [
        Password("a\r\nb", Secret("p")),
        Password("a", Secret("p\nq")),
        Password("a", Secret("p\0q")),
        BearerToken("a\x01b", Secret("t")),
    ],
)
def test_text_that_would_end_a_line_early_is_not_sent(credential: Password | BearerToken) -> None:
    with pytest.raises(Unsendable):
        check_sendable(credential)


def test_neither_credentials_nor_dialogues_show_what_they_hold() -> None:
    for holder in (PLAIN, TOKEN, Dialogue("PLAIN", PLAIN)):
        assert "pass" not in repr(holder).replace("password", "").replace("Password", "")
        assert "'token'" not in repr(holder)
