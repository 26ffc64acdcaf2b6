"""Copies filed in the background: they do not delay mail, and none is lost silently."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Final

import pytest

from reconciler.cli.main import main
from reconciler.model.connector import SaveSent
from reconciler.sending import filing
from reconciler.sending.outcome import CopyStatus, Sent
from reconciler.sending.prepare import SendRequest
from tests.hostile.conftest import LETTER
from tests.hostile.scripts import QUEUED, SELECTED, append, imap, in_turn, smtp

if TYPE_CHECKING:
    from tests.hostile.conftest import Office, Open
    from tests.hostile.scripts import Answer
    from tests.hostile.server import Peer, Script

LATE: Final = 20


def shelf(filed: list[str], **answers: Answer) -> Script:
    """A mailbox that records what is filed in it."""

    def kept(peer: Peer, _: str) -> None:
        filed.append(next(line for line in peer.lines if line.startswith("Subject:")))
        tag = next(line for line in reversed(peer.lines) if "APPEND" in line).partition(" ")[0]
        peer.send(f"{tag} OK done\r\n")

    return imap(**{**SELECTED, "APPEND": append(kept), **answers})


def send(office: Office) -> Sent:
    return office.mailer.send(LETTER, connector="support", save_sent=SaveSent.ALWAYS)


def logged(capsys: pytest.CaptureFixture[str]) -> list[tuple[str, str]]:
    """The results and the copies in the log."""
    capsys.readouterr()
    assert main(["log", "--format", "json"]) == 0
    entries = json.loads(capsys.readouterr().out)["entries"]
    return [(entry["result"], entry["copy"]) for entry in entries]


def test_a_mailbox_that_hangs_delays_no_mail_and_closing_ends_it(
    opened: Open, caplog: pytest.LogCaptureFixture
) -> None:
    reached = threading.Event()

    def hang(peer: Peer, _: str) -> None:
        reached.set()
        peer.hold()

    office = opened(smtp(DATA=QUEUED), shelf([], LIST=hang), background=True)
    sent = [send(office) for _ in range(3)]
    assert [item.copy.status for item in sent] == [CopyStatus.PENDING] * 3
    assert office.texts == 3
    assert reached.wait(LATE)
    with caplog.at_level(logging.WARNING, "reconciler.sending"):
        office.mailer.close(wait=0.05)
    said = [record.getMessage() for record in caplog.records]
    assert sorted(said) == sorted(
        f"no copy of {item.message_id} was filed: there was no time left to file it"
        for item in sent
    )


def test_closing_waits_for_the_copies_and_logs_their_results(
    opened: Open, capsys: pytest.CaptureFixture[str]
) -> None:
    filed: list[str] = []
    office = opened(smtp(DATA=QUEUED), shelf(filed), background=True, stored=True)
    for _ in range(3):
        assert send(office).copy.status is CopyStatus.PENDING
    office.mailer.close(wait=LATE)
    assert len(filed) == 3
    assert logged(capsys) == [("sent", "appended")] * 3


@pytest.mark.parametrize(("is_told", "result"), [(True, "sent"), (False, "uncertain")])
def test_a_mail_is_uncertain_until_its_application_has_the_answer(
    opened: Open, capsys: pytest.CaptureFixture[str], *, is_told: bool, result: str
) -> None:
    filed: list[str] = []
    office = opened(smtp(DATA=QUEUED), shelf(filed), background=True, stored=True)
    request = SendRequest(
        message=LETTER, actor="joan@hostile.example", connector="support", application="grafana",
        save_sent=SaveSent.ALWAYS,
    )  # fmt: skip
    accepted = office.mailer.dispatch.accept(request, client="grafana")
    assert office.texts == 1
    assert logged(capsys) == [("uncertain", "")]
    accepted.conclude(is_told=is_told)
    office.mailer.close()
    assert len(filed) == 1
    assert logged(capsys) == [(result, "appended")]


def test_a_refused_copy_is_logged(opened: Open, capsys: pytest.CaptureFixture[str]) -> None:
    refused = {"APPEND": append("{tag} NO [OVERQUOTA] Quota exceeded\r\n")}
    office = opened(
        smtp(DATA=QUEUED), imap(**{**SELECTED, **refused}), background=True, stored=True
    )
    assert send(office).copy.status is CopyStatus.PENDING
    office.mailer.close(wait=LATE)
    assert logged(capsys) == [("sent", "failed")]


def test_nothing_waits_where_nothing_is_filed(opened: Open) -> None:
    office = opened(smtp(DATA=QUEUED), imap(), background=True)
    sent = office.mailer.send(LETTER, connector="support", save_sent=SaveSent.NEVER)
    assert sent.copy.status is CopyStatus.NOT_WANTED


def test_copies_that_would_fill_the_memory_are_filed_at_once(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filing, "_MOST_OCTETS", 10)
    filed: list[str] = []
    office = opened(smtp(DATA=QUEUED), shelf(filed), background=True)
    assert send(office).copy.status is CopyStatus.APPENDED
    assert len(filed) == 1


def test_an_idle_connection_is_closed_and_the_next_copy_opens_another(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filing, "_LINGER", 0.01)
    filed: list[str] = []
    gone = [threading.Event(), threading.Event()]

    def noted(number: int) -> Script:
        def script(peer: Peer) -> None:
            try:
                shelf(filed)(peer)
            finally:
                gone[number].set()

        return script

    office = opened(smtp(DATA=QUEUED), in_turn(noted(0), noted(1)), background=True)
    for event in gone:
        send(office)
        assert event.wait(LATE)
    assert len(filed) == 2


PROCESS: Final = """
from reconciler import Mailer, Message
from reconciler.model.connector import SaveSent
mailer = Mailer.open(timeout=20)
message = Message(to=("ada@x.example",), subject="Hello", text="Hello.")
print(mailer.send(message, connector="support", save_sent=SaveSent.ALWAYS).copy.status)
"""


def test_a_process_that_ends_without_closing_files_its_copies(
    opened: Open, capsys: pytest.CaptureFixture[str]
) -> None:
    filed: list[str] = []
    office = opened(smtp(DATA=QUEUED), shelf(filed))
    done = subprocess.run(
        [sys.executable, "-c", PROCESS],
        env={**os.environ, **office.environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "pending\n", "")
    assert filed == ["Subject: Hello"]
    assert logged(capsys) == [("sent", "appended")]


@pytest.mark.parametrize(("option", "searches"), [("0s", 2), ("60s", 12)])
def test_sendmail_looks_for_the_servers_copy_for_the_time_it_is_given(
    opened: Open, option: str, searches: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    import io

    filed: list[str] = []
    office = opened(smtp(DATA=QUEUED), shelf(filed))
    mail = b"From: support@hostile.example\nTo: ada@x.example\nSubject: Hello\n\nHello.\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(mail)))
    assert main(["sendmail", "-t", "-i", "--copy-wait", option]) == 0
    assert filed == ["Subject: Hello"]
    # Each look asks for the Message-ID and for our own field.
    reads = next(server for server in office.readers if server.peers)
    assert sum(" SEARCH " in line for line in reads.lines) == searches
