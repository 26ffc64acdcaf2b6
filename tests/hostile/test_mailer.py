"""The API for applications at difficult servers: each mail is sent once, or reported as not sent."""

from __future__ import annotations

import base64
import os
import signal
from typing import TYPE_CHECKING, Final

import pytest

from reconciler import Attachment, RawMessage
from reconciler.errors import DeliveryUncertain, SendFailed
from reconciler.model.connector import SaveSent
from reconciler.model.sending import SendingResult
from reconciler.sending.outcome import CopyStatus, SendingInterrupted, SomeRefused
from reconciler.sending.prepare import SendRequest
from reconciler.values import replace
from tests.hostile.conftest import LETTER, PASSWORD
from tests.hostile.scripts import (
    QUEUED,
    SELECTED,
    append,
    hang_up,
    hold,
    imap,
    in_turn,
    says,
    smtp,
    takes,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.hostile.conftest import Open
    from tests.hostile.scripts import Answer
    from tests.hostile.server import Peer

EHLO: Final = "250-hostile.example\r\n{}250-AUTH PLAIN\r\n250 SIZE 1000000\r\n"


def then(peer_says: str, act: Callable[[Peer, str], None]) -> Answer:
    """Say something, and do something."""

    def reply(peer: Peer, arguments: str) -> None:
        peer.send(peer_says)
        act(peer, arguments)

    return reply


def test_a_connection_that_the_server_closed_meanwhile_is_reopened(opened: Open) -> None:
    def one_mail(peer: Peer) -> None:
        smtp(DATA=takes(then("250 2.0.0 queued\r\n", hang_up)))(peer)

    office = opened(one_mail)
    for _ in range(3):
        office.send()
    assert office.texts == 3
    assert len(office.server.peers) == 3
    assert office.results == [SendingResult.SENT] * 3


@pytest.mark.parametrize(("kept", "shown"), [(0.0, "rotated"), (60.0, PASSWORD)])
def test_a_rotated_secret_is_used_once_the_cached_one_expires(
    opened: Open, monkeypatch: pytest.MonkeyPatch, kept: float, shown: str
) -> None:
    def one_mail(peer: Peer) -> None:
        smtp(DATA=takes(then("250 2.0.0 queued\r\n", hang_up)))(peer)

    monkeypatch.setattr("reconciler.app.dispatch._SECRETS_KEPT", kept)
    office = opened(one_mail)
    office.send()
    office.environ["PASSWORD"] = "rotated"
    office.send()
    sent = [line.split()[-1] for line in office.server.commands("AUTH")]
    passwords = [base64.b64decode(text).decode().split("\0")[-1] for text in sent]
    assert passwords == [PASSWORD, shown]


@pytest.mark.parametrize("act", [hang_up, lambda peer, _: None], ids=["and goes", "and stays"])
def test_a_server_that_ends_a_long_session_gets_a_new_connection(
    opened: Open, act: Callable[[Peer, str], None]
) -> None:
    def two_mails(peer: Peer) -> None:
        seen: list[str] = []

        def mail(peer: Peer, arguments: str) -> None:
            seen.append(arguments)
            if len(seen) > 2:
                peer.send("421 4.7.0 Too many messages on this connection\r\n")
                act(peer, arguments)
            else:
                peer.send("250 2.1.0 ok\r\n")

        smtp(MAIL=mail, DATA=QUEUED)(peer)

    office = opened(two_mails)
    for _ in range(5):
        office.send()
    assert office.texts == 5
    assert len(office.server.peers) == 3
    assert office.results == [SendingResult.SENT] * 5


def test_a_server_that_is_shutting_down_is_tried_once_and_may_be_retried_later(
    opened: Open,
) -> None:
    office = opened(smtp(MAIL=then("421 4.3.2 Shutting down\r\n", hang_up)))
    with pytest.raises(SendFailed) as caught:
        office.send()
    assert caught.value.temporary
    assert (caught.value.code, caught.value.status) == ("421", "4.3.2")
    assert len(office.server.peers) == 1
    assert office.results == [SendingResult.TEMPORARY]


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA"])
def test_a_server_that_disconnects_before_the_text_may_be_retried(opened: Open, verb: str) -> None:
    office = opened(smtp(**{"DATA": QUEUED, verb: hang_up}))
    with pytest.raises(SendFailed) as caught:
        office.send()
    assert caught.value.temporary
    assert not isinstance(caught.value, DeliveryUncertain)
    assert len(office.server.peers) == 1
    assert office.results == [SendingResult.TEMPORARY]


@pytest.mark.parametrize("before", [0, 2])
@pytest.mark.parametrize("lost", [hang_up, "gibberish\r\n"], ids=["hangs up", "gibberish"])
def test_a_mail_that_may_have_been_delivered_is_never_resent_automatically(
    opened: Open, before: int, lost: Answer
) -> None:
    answers: list[str | Answer] = ["250 2.0.0 queued\r\n"] * before
    office = opened(in_turn(smtp(DATA=takes(*answers, lost)), smtp(DATA=QUEUED)))
    for _ in range(before):
        office.send()
    with pytest.raises(DeliveryUncertain, match="may have been delivered") as caught:
        office.send()
    assert not caught.value.temporary
    assert office.texts == before + 1
    office.send()
    assert office.texts == before + 2
    assert office.results == [SendingResult.SENT] * before + [
        SendingResult.UNCERTAIN,
        SendingResult.SENT,
    ]


@pytest.mark.parametrize(
    ("answer", "temporary", "code", "status"),
    [
        ("451 4.3.0 Try again later\r\n", True, "451", "4.3.0"),
        ("452 4.3.1 Out of storage\r\n", True, "452", "4.3.1"),
        ("550 5.7.1 Looks like spam\r\n", False, "550", "5.7.1"),
        ("554 refused\r\n", False, "554", ""),
        ("552 5.2.2 Mailbox full\r\n", False, "552", "5.2.2"),
        ("550 5.4.5 Daily limit reached, too many messages\r\n", False, "550", "5.4.5"),
    ],
)
@pytest.mark.parametrize("verb", ["MAIL", "DATA"])
def test_the_servers_code_decides_whether_to_retry(
    opened: Open, verb: str, answer: str, temporary: bool, code: str, status: str
) -> None:
    office = opened(smtp(**({"MAIL": answer} if verb == "MAIL" else {"DATA": takes(answer)})))
    with pytest.raises(SendFailed) as caught:
        office.send()
    failed = caught.value
    assert (failed.temporary, failed.code, failed.status) == (temporary, code, status)
    assert answer.split(maxsplit=2)[-1].strip() in failed.message
    (outcome,) = office.notes.outcomes
    assert outcome.result is (SendingResult.TEMPORARY if temporary else SendingResult.REFUSED)
    assert (outcome.code, outcome.enhanced, outcome.accepted) == (int(code), status, 0)


def test_the_session_continues_after_a_refused_mail(opened: Open) -> None:
    office = opened(smtp(DATA=takes("550 5.7.1 spam\r\n", "250 2.0.0 queued\r\n")))
    with pytest.raises(SendFailed):
        office.send()
    office.send()
    assert office.results == [SendingResult.REFUSED, SendingResult.SENT]


def test_some_recipients_may_be_refused_and_the_others_accepted(opened: Open) -> None:
    office = opened(smtp(RCPT=says(bob="450 4.2.1 Bob is busy\r\n"), DATA=QUEUED))
    sent = office.mailer.send(LETTER, connector="support")
    assert sent.accepted == ("ada@x.example",)
    (refused,) = sent.refused
    assert str(refused) == "bob@x.example: 450 4.2.1 Bob is busy"
    (outcome,) = office.notes.outcomes
    assert (outcome.result, outcome.recipients, outcome.accepted) == (SendingResult.PARTLY, 2, 1)


def test_a_non_ascii_address_needs_a_server_that_accepts_it(opened: Open) -> None:
    office = opened(smtp(DATA=QUEUED))
    with pytest.raises(SendFailed, match="SMTPUTF8") as caught:
        office.send(replace(LETTER, to=("jörg@x.example",)))
    assert not caught.value.temporary
    assert not office.server.commands("MAIL")


def test_a_non_ascii_address_goes_to_a_server_that_accepts_it(opened: Open) -> None:
    ehlo = EHLO.format("250-8BITMIME\r\n250-SMTPUTF8\r\n")
    office = opened(smtp(EHLO=ehlo, DATA=QUEUED))
    office.send(replace(LETTER, to=("jörg@bücher.example",)))
    (mail,), (recipient,) = office.server.commands("MAIL"), office.server.commands("RCPT")
    assert mail.endswith(" SMTPUTF8")
    assert recipient == "RCPT TO:<jörg@xn--bcher-kva.example>"
    assert "To: jörg@xn--bcher-kva.example" in office.server.lines


def test_a_non_ascii_domain_needs_no_extension(opened: Open) -> None:
    office = opened(smtp(DATA=QUEUED))
    office.send(replace(LETTER, to=("ada@bücher.example",)))
    assert office.server.commands("RCPT") == ["RCPT TO:<ada@xn--bcher-kva.example>"]
    assert "To: ada@xn--bcher-kva.example" in office.server.lines


RAW: Final = (
    "From: support@hostile.example\r\nTo: ada@x.example\r\nSubject: raw\r\nMIME-Version: 1.0\r\n"
    "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGröße\r\n"
).encode()


def test_eight_bit_text_goes_to_a_server_that_accepts_it(opened: Open) -> None:
    office = opened(smtp(EHLO=EHLO.format("250-8BITMIME\r\n"), DATA=QUEUED))
    office.send(RawMessage(RAW))
    (mail,) = office.server.commands("MAIL")
    assert " BODY=8BITMIME" in mail
    assert "Größe" in office.server.lines


def test_eight_bit_text_is_re_encoded_for_a_server_that_does_not_accept_it(opened: Open) -> None:
    office = opened(smtp(DATA=QUEUED))
    office.send(RawMessage(RAW))
    (mail,) = office.server.commands("MAIL")
    assert "BODY" not in mail
    assert all(line.isascii() for line in office.server.lines)
    assert "R3LDtsOfZQ0K" in office.server.lines or "Gr=C3=B6=C3=9Fe" in office.server.lines


def test_a_mail_beyond_the_servers_limit_is_not_even_begun(opened: Open) -> None:
    office = opened(smtp(EHLO="250-hostile.example\r\n250-SIZE 1000\r\n250 AUTH PLAIN\r\n"))
    with pytest.raises(SendFailed, match="at most") as caught:
        office.send(replace(LETTER, attachments=(Attachment("a.bin", b"x" * 2000),)))
    assert (caught.value.temporary, caught.value.status) == (False, "5.3.4")
    assert not office.server.commands("MAIL")


@pytest.mark.parametrize("limit", ["SIZE", "SIZE 0", "SIZE many", "SIZE -1"])
def test_an_unreadable_size_limit_stops_nothing(opened: Open, limit: str) -> None:
    ehlo = f"250-hostile.example\r\n250-{limit}\r\n250 AUTH PLAIN\r\n"
    office = opened(smtp(EHLO=ehlo, DATA=QUEUED))
    office.send()
    (mail,) = office.server.commands("MAIL")
    assert " SIZE=" in mail


def test_a_server_that_repeats_the_password_is_not_quoted(opened: Open) -> None:
    office = opened(smtp(RCPT=says(bob=f"550 5.1.1 {PASSWORD}\r\n"), DATA=QUEUED))
    sent = office.mailer.send(LETTER, connector="support")
    assert PASSWORD not in repr((sent, office.notes.outcomes))
    office = opened(smtp(DATA=takes(f"550 5.7.1 {PASSWORD}\r\n")))
    with pytest.raises(SendFailed) as caught:
        office.send()
    assert PASSWORD not in repr((caught.value.message, caught.value.hint, office.notes.outcomes))


def test_what_a_server_says_cannot_rewrite_the_terminal(opened: Open) -> None:
    office = opened(smtp(RCPT=says(bob="550 5.1.1 \x1b[2J\x07gone\r\n"), DATA=QUEUED))
    sent = office.mailer.send(LETTER, connector="support")
    assert all(item.text.isprintable() for item in sent.refused)


def test_a_server_that_never_answers_may_be_retried(opened: Open) -> None:
    office = opened(smtp(MAIL=hold), timeout=3.0)
    with pytest.raises(SendFailed) as caught:
        office.send()
    assert caught.value.temporary
    assert office.results == [SendingResult.TEMPORARY]


@pytest.mark.parametrize(
    "answers",
    [
        {"APPEND": append("{tag} NO [OVERQUOTA] Quota exceeded\r\n")},
        {"APPEND": append(hang_up)},
        {"APPEND": hang_up},
        {"APPEND": "{tag} NO [TRYCREATE] No such mailbox\r\n"},
        {"EXAMINE": "{tag} NO nothing here\r\n", "SELECT": "{tag} NO nothing here\r\n"},
        {"LIST": '* LIST () "/" INBOX\r\n{tag} OK done\r\n'},
        {"AUTHENTICATE": "{tag} NO [AUTHENTICATIONFAILED] no\r\n"},
        {"greeting": "* BYE overloaded\r\n"},
    ],
    ids=["quota", "lost after", "lost before", "refused", "closed", "no folder", "sign-in", "bye"],
)
def test_a_failed_copy_is_reported_and_the_mail_is_sent_once(
    opened: Open, answers: dict[str, Answer]
) -> None:
    office = opened(smtp(DATA=QUEUED), imap(**{**SELECTED, **answers}))
    sent = office.mailer.send(LETTER, connector="support")
    assert sent.accepted == LETTER.to
    assert sent.copy.status is CopyStatus.FAILED
    assert sent.copy.sentence
    assert office.texts == 1
    (outcome,) = office.notes.outcomes
    assert (outcome.result, outcome.copy) == (SendingResult.SENT, CopyStatus.FAILED)


@pytest.mark.parametrize("desired", [SaveSent.AUTO, SaveSent.ALWAYS])
def test_a_copy_that_may_have_been_filed_is_searched_for_before_it_is_filed_again(
    opened: Open, desired: SaveSent
) -> None:
    filed: list[str] = []

    def search(peer: Peer, _: str) -> None:
        tag = peer.lines[-1].partition(" ")[0]
        peer.send(f"* SEARCH{' 4' if 'lost' in filed else ''}\r\n{tag} OK done\r\n")

    def appended(peer: Peer, arguments: str) -> None:
        filed.append("lost" if filed else "told")
        if "lost" in filed:
            hang_up(peer, arguments)
        tag = next(line for line in reversed(peer.lines) if "APPEND" in line).partition(" ")[0]
        peer.send(f"{tag} OK done\r\n")

    answers = {**SELECTED, "SEARCH": search, "UID": search, "APPEND": append(appended)}
    office = opened(smtp(DATA=QUEUED), imap(**answers))
    found = [
        office.mailer.send(LETTER, connector="support", save_sent=desired).copy.status
        for _ in range(2)
    ]
    assert found == [CopyStatus.APPENDED, CopyStatus.FOUND]
    assert filed == ["told", "lost"]


def test_a_copy_is_filed_once_over_a_connection_that_was_lost_in_between(opened: Open) -> None:
    filed: list[int] = []

    def appended(peer: Peer, arguments: str) -> None:
        filed.append(peer.number)
        tag = next(line for line in reversed(peer.lines) if "APPEND" in line).partition(" ")[0]
        peer.send(f"{tag} OK done\r\n")
        hang_up(peer, arguments)

    office = opened(smtp(DATA=QUEUED), imap(**SELECTED, APPEND=append(appended)))
    found = [office.mailer.send(LETTER, connector="support").copy.status for _ in range(3)]
    assert found == [CopyStatus.APPENDED] * 3
    assert filed == [1, 2, 3]


def press(peer: Peer, _: str) -> None:
    """Press Ctrl-C, and say nothing."""
    os.kill(os.getpid(), signal.SIGINT)
    peer.hold()


def test_a_signal_before_the_text_leaves_nothing_sent(opened: Open) -> None:
    office = opened(smtp(RCPT=press))
    with pytest.raises(KeyboardInterrupt) as caught:
        office.send()
    assert not isinstance(caught.value, SendingInterrupted)
    assert office.texts == 0
    assert office.results == [SendingResult.TEMPORARY]


def test_a_signal_once_the_text_is_out_makes_a_mail_uncertain(opened: Open) -> None:
    office = opened(smtp(DATA=takes(press)))
    with pytest.raises(SendingInterrupted, match="may have been delivered") as caught:
        office.send()
    assert caught.value.sent is None
    assert office.results == [SendingResult.UNCERTAIN]


def test_a_signal_while_the_copy_is_filed_leaves_a_mail_sent(opened: Open) -> None:
    office = opened(smtp(DATA=QUEUED), imap(SELECT=press, EXAMINE=press))
    with pytest.raises(SendingInterrupted, match="is sent") as caught:
        office.mailer.send(LETTER, connector="support", save_sent=SaveSent.ALWAYS)
    assert caught.value.sent is not None
    assert caught.value.sent.copy.sentence == "interrupted by a signal"
    assert office.results == [SendingResult.SENT]


def test_the_timeout_of_a_mailer_bounds_the_answer_to_the_text_too(opened: Open) -> None:
    # Without it, RFC 5321 gives the server thirteen minutes: longer than a test may take.
    office = opened(smtp(DATA=takes(hold)), timeout=1.0)
    with pytest.raises(DeliveryUncertain):
        office.send()
    assert office.results == [SendingResult.UNCERTAIN]


@pytest.mark.parametrize(
    ("known", "result"),
    [(("ada",), "temporary"), ((), "temporary"), (("ada", "gone", "busy"), "sent")],
)
def test_a_mail_for_all_or_none_is_not_sent_to_some(
    opened: Open, known: tuple[str, ...], result: str
) -> None:
    def recipient(peer: Peer, arguments: str) -> None:
        if any(f"<{name}@" in arguments for name in known):
            peer.send("250 2.1.5 ok\r\n")
        elif "<busy@" in arguments:
            peer.send("450 4.2.1 try again\r\n")
        else:
            peer.send("550 5.1.1 no such user\r\n")

    office = opened(smtp(RCPT=recipient, DATA=QUEUED))
    letter = replace(LETTER, to=tuple(f"{name}@b.example" for name in ("ada", "gone", "busy")))
    request = SendRequest(message=letter, actor="joan", connector="support", all_or_none=True)
    for _ in range(2):  # the second over the same connection
        if result == "sent":
            office.mailer.dispatch.accept(request, client="").conclude(is_told=True)
            continue
        with pytest.raises(SomeRefused) as caught:
            office.mailer.dispatch.accept(request, client="")
        assert caught.value.temporary
        refused = [item.recipient.partition("@")[0] for item in caught.value.refused]
        assert refused == [name for name in ("ada", "gone", "busy") if name not in known]
    assert office.texts == (2 if result == "sent" else 0)
    assert len(office.server.peers) == 1
    assert office.results == [SendingResult(result)] * 2
