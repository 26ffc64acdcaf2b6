"""Whatever a server says, no secret that was sent to it appears in a result."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.connection.failure import Stage
from reconciler.connection.options import ProbeOptions
from reconciler.mail.redaction import HIDDEN
from reconciler.model.connector import Security
from reconciler.model.protocol import Protocol
from tests.hostile.conftest import PASSWORD
from tests.hostile.scripts import imap, smtp

if TYPE_CHECKING:
    from reconciler.probe.result import ProtocolResult
    from tests.hostile.conftest import Attack
    from tests.hostile.server import Peer

USER = "support@hostile.example"
FORMS = tuple(
    form.encode()
    for form in (
        PASSWORD,
        PASSWORD[::-1],
        quote(PASSWORD),
        PASSWORD.encode().hex(),
        base64.b64encode(PASSWORD.encode()).decode(),
        base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode(),
        base64.b64encode(f"{USER}\0{USER}\0{PASSWORD}".encode()).decode(),
    )
)
WORDS = (
    b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] ",
    b'* LIST () "/" ',
    b"* BYE ",
    b"* NO ",
    b"+ ",
    b"220 ",
    b"250-",
    b"250 AUTH PLAIN ",
    b"235 ",
    b"334 ",
    b"535 5.7.8 ",
    b" ",
    b"\r\n",
    b"\x00",
    *FORMS,
)
SPEECHES = st.lists(
    st.lists(st.sampled_from(WORDS) | st.binary(max_size=8), max_size=8).map(b"".join), max_size=6
)


def assert_silent(result: ProtocolResult) -> None:
    shown = repr(result)
    for form in FORMS:
        assert form.decode() not in shown


@pytest.mark.parametrize("protocol", list(Protocol))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(speeches=SPEECHES)
def test_nothing_a_server_says_puts_a_secret_into_the_result(
    attack: Attack, protocol: Protocol, speeches: list[bytes]
) -> None:
    def script(peer: Peer) -> None:
        for speech in speeches:
            peer.send(speech + b"\r\n")
            peer.line()

    options = ProbeOptions(timeout=0.6, retries=0)  # wherever it hangs
    assert_silent(attack(protocol, script, security=Security.NONE, options=options).result)


def echo_smtp(peer: Peer, arguments: str) -> None:
    peer.send(f"535 5.7.8 I do not understand: AUTH {arguments}\r\n")


def echo_decoded(peer: Peer, arguments: str) -> None:
    decoded = base64.b64decode(arguments.rsplit(maxsplit=1)[-1]).decode().replace("\0", " ")
    peer.send(f"535 5.7.8 wrong: {decoded}\r\n")


def echo_cut(peer: Peer, arguments: str) -> None:
    peer.send(f"535 5.7.8 wrong: {arguments[:50]}\r\n")


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        (echo_smtp, "535 5.7.8 … not understand: AUTH PLAIN …"),
        (echo_decoded, "535 5.7.8 wrong: …"),
        (echo_cut, "535 5.7.8 wrong: PLAIN …"),
    ],
)
def test_a_server_that_quotes_what_it_was_sent_is_not_quoted(
    attack: Attack, answer: object, shown: str
) -> None:
    found = attack(Protocol.SMTP, smtp(AUTH=answer))  # type: ignore[arg-type]
    stage, failure = found.failure
    assert stage is Stage.AUTHENTICATION
    assert failure.reply == shown
    assert_silent(found.result)


def test_an_imap_server_that_quotes_a_login_is_not_quoted(attack: Attack) -> None:
    def login(peer: Peer, arguments: str) -> None:
        tag = peer.lines[-1].split()[0]
        peer.send(f"{tag} BAD cannot parse: LOGIN {arguments}\r\n")

    script = imap(greeting="* OK [CAPABILITY IMAP4rev1] hi\r\n", LOGIN=login)
    found = attack(Protocol.IMAP, script)
    assert found.failure[1].reply == "BAD cannot … LOGIN …"
    assert_silent(found.result)


def test_a_folder_named_like_the_secret_is_not_named(attack: Attack) -> None:
    script = imap(LIST=f'* LIST (\\Sent) "/" "{PASSWORD}"\r\n{{tag}} OK done\r\n')
    found = attack(Protocol.IMAP, script)
    assert found.result.failed is None
    assert found.detail[Stage.MAILBOX].endswith(f"sent mail in {HIDDEN}")
    assert_silent(found.result)


def test_a_reply_is_one_short_printable_line(attack: Attack) -> None:
    said = "535 5.7.8 \x1b[31mred\x07 \u202eback\u202c " + "long " * 200
    found = attack(Protocol.SMTP, smtp(MAIL=f"{said}\r\n"))
    reply = found.failure[1].reply
    assert len(reply) <= 300
    assert reply.isprintable()
    assert reply.startswith("535 5.7.8 [31mred back long")
