"""Test mails that servers refuse late, forget, or keep."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.connection.failure import ErrorClass, Stage
from reconciler.connection.options import ProbeOptions
from reconciler.mail.dial import ConnectTo
from reconciler.model.connector import Security
from reconciler.model.protocol import Protocol
from reconciler.probe.runner import run
from reconciler.values import replace
from tests.hostile.conftest import HOST, Passwords, connector_for
from tests.hostile.scripts import CAPABILITIES, hang_up, hold, imap, smtp

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.connection.failure import Failure
    from reconciler.probe.result import ConnectorResult
    from tests.hostile.conftest import Attack
    from tests.hostile.scripts import Answer
    from tests.hostile.server import HostileServer, Peer, Script

OPTIONS = ProbeOptions(timeout=4.0, retries=0, depth=Stage.DELIVERY, delivery_seconds=0.3)


def takes(final: Answer) -> Answer:
    """Take the text of a mail, and answer it like this."""

    def answer(peer: Peer, arguments: str) -> None:
        peer.send("354 go ahead\r\n")
        while peer.line() != ".":
            pass
        if callable(final):
            final(peer, arguments)
        else:
            peer.send(final)

    return answer


@pytest.mark.parametrize(
    ("data", "error_class"),
    [
        (takes("550 5.7.60 SMTP; Client does not have permissions to send as this sender\r\n"),
         ErrorClass.SEND_AS_DENIED),
        (takes("554 5.2.252 SendAsDenied; support not allowed to send as x\r\n"),
         ErrorClass.SEND_AS_DENIED),
        (takes("550 5.7.1 not yours\r\n"), ErrorClass.SEND_AS_DENIED),
        (takes("554 5.6.0 smells of spam\r\n"), ErrorClass.NOT_DELIVERED),
        (takes("452 4.3.1 later\r\n"), ErrorClass.RATE_LIMITED),
        (takes("552 5.2.2 mailbox full\r\n"), ErrorClass.QUOTA),
        (takes(hold), ErrorClass.NOT_DELIVERED),
        (takes(hang_up), ErrorClass.NOT_DELIVERED),
        (takes("what?\r\n"), ErrorClass.NOT_DELIVERED),
        ("550 5.7.60 no permissions to send as this sender\r\n", ErrorClass.SEND_AS_DENIED),
        ("451 4.7.0 not now\r\n", ErrorClass.RATE_LIMITED),
        (hang_up, ErrorClass.PROTOCOL),
        (hold, ErrorClass.TIMEOUT),
    ],
)  # fmt: skip
def test_a_mail_that_is_refused_after_its_envelope_was_accepted(
    attack: Attack, data: Answer, error_class: ErrorClass
) -> None:
    found = attack(Protocol.SMTP, smtp(DATA=data), options=OPTIONS)
    stage, failure = found.failure
    assert stage is Stage.DELIVERY
    assert failure.error_class is error_class
    assert len(found.server.commands("DATA")) == 1


def test_a_recipient_that_is_refused_only_when_the_mail_is_sent(attack: Attack) -> None:
    answers = iter(("250 ok\r\n", "550 5.1.1 nobody of that name\r\n"))
    script = smtp(RCPT=lambda peer, _: peer.send(next(answers)))
    stage, failure = attack(Protocol.SMTP, script, options=OPTIONS).failure
    assert (stage, failure.error_class) == (Stage.DELIVERY, ErrorClass.RECIPIENT_REJECTED)


@pytest.fixture
def deliver(serve: Callable[..., HostileServer]) -> Callable[[Script], ConnectorResult]:
    """Send a test mail, and look for it at an IMAP server that follows this script."""

    def probe(script: Script) -> ConnectorResult:
        sends, reads = serve(smtp(DATA=takes("250 2.0.0 taken\r\n"))), serve(script)
        connector = connector_for(Protocol.SMTP, Security.NONE)
        assert connector.smtp is not None
        connector = replace(
            connector,
            imap=replace(connector.smtp, port=1143),
            files_sent_copies=True,
        )
        to = ConnectTo.parse(
            [f"{HOST}:4711=127.0.0.1:{sends.port}", f"{HOST}:1143=127.0.0.1:{reads.port}"]
        )
        (result,) = run([connector], Passwords(), replace(OPTIONS, connect_to=to))
        return result

    return probe


UID = {
    "SEARCH": "* SEARCH 7\r\n{tag} OK done\r\n",
    "STORE": "{tag} OK done\r\n",
    "EXPUNGE": "{tag} OK done\r\n",
}


def reader(tags: dict[str, str], **answers: Answer) -> Script:
    """An IMAP server that knows the commands with UID."""

    def uid(peer: Peer, arguments: str) -> None:
        verb = arguments.partition(" ")[0]
        peer.send(tags[verb].replace("{tag}", peer.lines[-1].partition(" ")[0]))

    return imap(
        None,
        UID=uid,
        SELECT="* 3 EXISTS\r\n{tag} OK [READ-WRITE] done\r\n",
        **answers,
    )


def delivered(result: ConnectorResult) -> str:
    assert result.failures == ()
    return next(
        stage.detail
        for protocol in result.protocols
        for stage in protocol.stages
        if stage.stage is Stage.DELIVERY
    )


def failure(result: ConnectorResult) -> Failure:
    ((protocol, stage, why),) = result.failures
    assert (protocol.protocol, stage.stage) == (Protocol.SMTP, Stage.DELIVERY)
    return why


def test_without_uidplus_the_mail_is_only_marked_as_deleted(
    deliver: Callable[[Script], ConnectorResult],
) -> None:
    known = {verb: answer for verb, answer in UID.items() if verb != "EXPUNGE"}
    assert delivered(deliver(reader(known))).endswith(
        "marked as deleted, because the server cannot remove it"
    )


def test_uidplus_may_be_offered_only_after_sign_in(
    deliver: Callable[[Script], ConnectorResult],
) -> None:
    welcome = f"{{tag}} OK [CAPABILITY {CAPABILITIES} UIDPLUS] welcome\r\n"
    assert delivered(deliver(reader(UID, AUTHENTICATE=welcome))).endswith("removed")


def test_a_mail_that_never_arrives_is_not_delivered(
    deliver: Callable[[Script], ConnectorResult],
) -> None:
    nothing = {**UID, "SEARCH": "* SEARCH\r\n{tag} OK done\r\n"}
    assert failure(deliver(reader(nothing))).error_class is ErrorClass.NOT_DELIVERED


@pytest.mark.parametrize("verb", ["SEARCH", "STORE"])
def test_a_mailbox_that_refuses_to_be_searched_or_changed(
    deliver: Callable[[Script], ConnectorResult], verb: str
) -> None:
    script = reader({**UID, verb: "{tag} NO not you\r\n"})
    assert failure(deliver(script)).error_class is ErrorClass.MAILBOX_NOT_CONNECTED
