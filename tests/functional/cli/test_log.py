"""``log``: what every attempt to send leaves behind, and what it never does."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from reconciler.app.mailer import Mailer
from reconciler.app.schemas import schema
from reconciler.errors import NotAuthorised, RouteRefused
from reconciler.sending.message import Message
from tests.functional.conftest import LEAD
from tests.functional.terminal import terminal

if TYPE_CHECKING:
    from tests.functional.conftest import Home

JOAN = "joan@contoso.example"
SUBJECT = "Quarterly secret plans"
MAIL = Message(to=("ada@elsewhere.example", "bob@elsewhere.example"), subject=SUBJECT, text="Psst.")


def mailer(home: Home, **more: Any) -> Mailer:
    return Mailer.open(actor=JOAN, config=home.config, environ=home.environ, **more)


def entries(home: Home, *arguments: str) -> list[dict[str, Any]]:
    done = home("log", "--format", "json", *arguments)
    assert done.status == 0, done.said
    document = json.loads(done.out)
    jsonschema.validate(document, schema("log"))
    found: list[dict[str, Any]] = document["entries"]
    return found


@pytest.fixture
def sent(live: Home) -> Home:
    """A mail that went out through info@, and two that were refused."""
    live.apply_untested("--allow-policy-change")
    with mailer(live) as opened:
        opened.send(MAIL, connector="info")
        with pytest.raises(NotAuthorised):
            opened.send(MAIL, connector="payroll")
        with pytest.raises(RouteRefused):
            opened.send(MAIL, connector="nope", sender="who@contoso.example")
    return live


def test_attempts_are_listed_newest_first(sent: Home) -> None:
    unknown, refused, mail = entries(sent)
    assert mail["actor"] == JOAN
    assert (mail["connector"], mail["host"]) == ("info", "smtp.gmail.com")
    assert mail["message_id"].endswith("@contoso.example>")
    assert mail["sender"] == mail["from_address"] == "info@contoso.example"
    assert (mail["recipients"], mail["accepted"], mail["result"]) == (2, 2, "sent")
    assert mail["size"] > len(MAIL.text or "")
    assert mail["code"] == 250
    assert (refused["connector"], refused["result"]) == ("payroll", "refused")
    assert refused["sentence"] == f"{JOAN} is not among the users of payroll"
    assert (unknown["connector"], unknown["sender"]) == ("nope", "who@contoso.example")


def test_neither_the_subject_nor_the_text_nor_a_recipient_is_kept(sent: Home) -> None:
    with closing(sqlite3.connect(sent.state)) as database:
        kept = repr(database.execute("SELECT * FROM sent").fetchall())
    for text in (SUBJECT, "Psst", "elsewhere.example", sent.environ["INFO_APP_PASSWORD"]):
        assert text not in kept


@pytest.mark.parametrize(
    ("arguments", "connectors"),
    [
        (("--connector", "info"), ["info"]),
        (("--result", "refused"), ["nope", "payroll"]),
        (("--actor", "somebody else"), []),
        (("--since", "1d"), ["nope", "payroll", "info"]),
        (("--since", "0s"), []),
        (("--limit", "1"), ["nope"]),
    ],
)
def test_filters_choose(sent: Home, arguments: tuple[str, ...], connectors: list[str]) -> None:
    assert [entry["connector"] for entry in entries(sent, *arguments)] == connectors


def test_each_line_of_json_lines_is_an_entry(sent: Home) -> None:
    done = sent("log", "--format", "jsonl")
    assert [json.loads(line) for line in done.out.splitlines()] == entries(sent)
    assert sent("log", "--format", "jsonl", "--connector", "unknown").out == ""


def test_a_mail_is_found_by_its_message_id(sent: Home) -> None:
    (mail,) = entries(sent, "--connector", "info")
    assert entries(sent, "--message-id", mail["message_id"]) == [mail]


def test_people_get_a_table_or_a_note_that_it_is_empty(sent: Home) -> None:
    header, unknown, refused, mail = sent("log").out.splitlines()
    assert header.split()[:3] == ["WHEN", "(UTC)", "WHO"]
    assert mail.endswith("sent")
    assert f"refused: {JOAN}" in refused
    assert "refused: there is no connector" in unknown
    assert sent("log", "--connector", "info", "--result", "refused").out == "No such mail.\n"


def test_a_state_without_mail_has_an_empty_log(home: Home) -> None:
    assert home("log").out == "The log of sending is empty.\n"
    assert entries(home) == []
    assert not home.state.exists()


def test_a_mail_goes_out_even_if_it_cannot_be_logged_and_says_so(sent: Home) -> None:
    with mailer(sent) as opened:
        opened.prepare(MAIL, connector="info")
        with closing(sqlite3.connect(sent.state)) as database:
            database.execute(
                "CREATE TRIGGER full BEFORE INSERT ON sent BEGIN SELECT raise(ABORT, 'full'); END"
            )
        done = opened.send(MAIL, connector="info")
        assert done.accepted == ("ada@elsewhere.example", "bob@elsewhere.example")
        (warning,) = [text for text in done.warnings if "log" in text]
        assert warning.startswith("the outcome was not written to the log: ")
        with pytest.raises(NotAuthorised) as caught:
            opened.send(MAIL, connector="payroll")
        (note,) = caught.value.__notes__
        assert note.startswith("the outcome was not written to the log: ")
    assert len(entries(sent)) == 3


def test_pruning_deletes_older_entries_and_requires_an_administrator(sent: Home) -> None:
    assert sent("log", "--prune", "1d").status == 64
    denied = sent("log", "--prune", "0s", "--yes", "--as", JOAN)
    assert (denied.status, len(entries(sent))) == (8, 3)
    assert f"{JOAN} may not prune the log" in denied.err
    assert sent("log", "--prune", "1d", "--yes").out == "Deleted 0 log entries.\n"
    assert sent("log", "--prune", "0s", "--yes", "--as", LEAD).out == "Deleted 3 log entries.\n"
    assert entries(sent) == []


def test_pruning_asks_for_confirmation(sent: Home) -> None:
    with terminal(sent, "log", "--prune", "0s", "--as", LEAD) as shell:
        shell.read_until("Delete all log entries")
        shell.type("n\n")
        assert shell.wait() == 5, shell.shown
    assert "Nothing was changed." in shell.shown
    assert len(entries(sent)) == 3
