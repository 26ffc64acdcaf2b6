"""Copies of sent mail at difficult mailboxes: a mail that was sent keeps its copy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.connection.failure import ErrorClass, Stage
from reconciler.model.connector import Security
from reconciler.model.protocol import Protocol
from reconciler.sending.outcome import CopyStatus
from tests.hostile.conftest import LETTER, PASSWORD, connector_for
from tests.hostile.scripts import QUEUED, SELECTED, append, hang_up, imap, in_turn, smtp

if TYPE_CHECKING:
    from tests.hostile.conftest import Attack, Open
    from tests.hostile.scripts import Answer
    from tests.hostile.server import Peer

FILED = append("{tag} OK done\r\n")


def searches(answer: Answer) -> dict[str, Answer]:
    return {**SELECTED, "APPEND": FILED, "UID": answer, "SEARCH": answer}


@pytest.mark.parametrize(
    "answers",
    [
        searches("{tag} NO [CANNOT] no search by header\r\n"),
        searches("{tag} BAD unknown key\r\n"),
        searches("* SEARCH one two\r\n{tag} OK done\r\n"),
        searches(hang_up),
        searches("* BYE no\r\n"),
        {**searches("{tag} OK done\r\n"), "EXAMINE": "* 3 EXISTS\r\n{tag} OK done\r\n"},
    ],
    ids=["no", "bad", "nonsense", "hangs up", "bye", "no result"],
)
def test_a_refused_search_does_not_lose_the_copy(opened: Open, answers: dict[str, Answer]) -> None:
    office = opened(smtp(DATA=QUEUED), imap(**answers))
    fates = [office.mailer.send(LETTER, connector="support").copy for _ in range(2)]
    assert [copy.status for copy in fates] == [CopyStatus.APPENDED] * 2
    assert office.texts == 2


def test_a_write_only_folder_gets_the_copy(
    opened: Open,
) -> None:
    def examine(peer: Peer, arguments: str) -> None:
        tag = peer.lines[-1].partition(" ")[0]
        fine = "INBOX" in arguments
        peer.send(f"* 3 EXISTS\r\n{tag} OK done\r\n" if fine else f"{tag} NO [NOPERM] no\r\n")

    office = opened(smtp(DATA=QUEUED), imap(**{**searches(""), "EXAMINE": examine}))
    copy = office.mailer.send(LETTER, connector="support").copy
    assert (copy.status, copy.folder) == (CopyStatus.APPENDED, "Sent")
    assert "could not be searched" in copy.sentence


def test_a_search_by_one_field_is_enough(opened: Open) -> None:
    def search(peer: Peer, arguments: str) -> None:
        tag = peer.lines[-1].partition(" ")[0]
        known = "Message-ID" in arguments
        peer.send(f"* SEARCH 7\r\n{tag} OK done\r\n" if known else f"{tag} BAD which?\r\n")

    office = opened(smtp(DATA=QUEUED), imap(**searches(search)))
    assert office.mailer.send(LETTER, connector="support").copy.status is CopyStatus.FOUND


def test_the_folder_is_chosen_again_when_it_was_renamed(
    opened: Open,
) -> None:
    filed: list[str] = []

    def appended(peer: Peer, arguments: str) -> None:
        tag = next(line for line in reversed(peer.lines) if "APPEND" in line).partition(" ")[0]
        gone = bool(filed) and '"Sent"' in arguments
        filed.append(arguments.partition(" ")[0].strip('"'))
        peer.send(f"{tag} NO [TRYCREATE] no such mailbox\r\n" if gone else f"{tag} OK done\r\n")

    second = '* LIST () "/" INBOX\r\n* LIST (\\Sent) "/" Outbox\r\n{tag} OK done\r\n'
    answers: dict[str, Answer] = {**SELECTED, "APPEND": append(appended)}
    office = opened(smtp(DATA=QUEUED), in_turn(imap(**answers), imap(**answers, LIST=second)))
    copies = [office.mailer.send(LETTER, connector="support").copy for _ in range(2)]
    assert [copy.status for copy in copies] == [CopyStatus.APPENDED] * 2
    assert filed == ["Sent", "Sent", "Outbox"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("NO [OVERQUOTA] Quota exceeded", "is full"),
        ("NO You exceeded your mail quota.", "is full"),
        ("NO Not enough disk space", "is full"),
        ("NO [TRYCREATE] Mailbox doesn't exist", "no longer exists"),
        ("NO Mailbox does not exist: Sent", "no longer exists"),
        ("NO [NOPERM] Permission denied", "may not file mail"),
        ("NO Mailbox is read-only", "may not file mail"),
        ("NO [TOOBIG] no", "of this size"),
        ("NO Message too large", "of this size"),
        ("NO [LIMIT] slow down", "a limit is reached"),
        ("NO [UNAVAILABLE] backend", "temporarily unavailable"),
        ("NO no", "refuses to file the copy"),
        ("BAD what", "refuses to file the copy"),
    ],
)
@pytest.mark.parametrize("early", [True, False], ids=["at once", "after the text"])
def test_a_refused_copy_is_explained(opened: Open, answer: str, said: str, *, early: bool) -> None:
    whole = f"{{tag}} {answer}\r\n"
    answers = {**SELECTED, "APPEND": whole if early else append(whole)}
    office = opened(smtp(DATA=QUEUED), imap(**answers))
    copy = office.mailer.send(LETTER, connector="support").copy
    assert copy.status is CopyStatus.FAILED
    assert said in copy.sentence


def test_a_missing_folder_is_shown_with_the_existing_ones(attack: Attack) -> None:
    names = [f"Project {number}" for number in range(400)] + ["Gesendete Mails"]
    listed = "".join(f'* LIST () "/" "{name}"\r\n' for name in names)
    connector = connector_for(Protocol.IMAP, Security.IMPLICIT, sent_folder="Gesendete")
    found = attack(Protocol.IMAP, imap(LIST=f"{listed}{{tag}} OK done\r\n"), connector=connector)
    stage, failure = found.failure
    assert (stage, failure.error_class) == (Stage.MAILBOX, ErrorClass.FOLDER_MISSING)
    assert "The folders there are: Gesendete Mails, " in failure.cause
    assert failure.cause.endswith(" and 391 more.")
    assert len(failure.cause) < 400


def test_folder_names_reveal_no_secret(attack: Attack) -> None:
    listed = f'* LIST () "/" INBOX\r\n* LIST () "/" "{PASSWORD}"\r\n{{tag}} OK done\r\n'
    connector = connector_for(Protocol.IMAP, Security.IMPLICIT, sent_folder="Outbox")
    _, failure = attack(Protocol.IMAP, imap(LIST=listed), connector=connector).failure
    assert PASSWORD not in failure.cause


@pytest.mark.parametrize(
    ("namespace", "listed", "chosen"),
    [
        (
            '(("" "/")) (("user/" "/")) NIL',
            '* LIST (\\Sent) "/" "user/bob/Sent"\r\n* LIST (\\Sent) "/" "Gesendet"\r\n',
            "Gesendet",
        ),
        (
            '(("INBOX." ".")) NIL (("#shared." "."))',
            '* LIST (\\Sent) "." "#shared.Sent"\r\n* LIST () "." "INBOX.Sent"\r\n',
            "INBOX.Sent",
        ),
        (
            '(("" "/")) (("~" "/")) (("Public Folders/" "/"))',
            '* LIST () "/" "Public Folders/x"\r\n* LIST (\\Sent) "/" "Sent"\r\n',
            "Sent",
        ),
    ],
)
def test_the_copy_goes_to_the_accounts_own_folder(
    opened: Open, namespace: str, listed: str, chosen: str
) -> None:
    answers = searches("* SEARCH\r\n{tag} OK done\r\n")
    names = f"* NAMESPACE {namespace}\r\n{{tag}} OK done\r\n"
    script = imap(**answers, NAMESPACE=names, LIST=f"{listed}{{tag}} OK done\r\n")
    office = opened(smtp(DATA=QUEUED), script)
    copy = office.mailer.send(LETTER, connector="support").copy
    assert (copy.status, copy.folder) == (CopyStatus.APPENDED, chosen)
