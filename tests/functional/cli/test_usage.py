"""Usage errors have their own exit code, and the commands that read say what they found."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from reconciler.app.schemas import NAMES

if TYPE_CHECKING:
    from tests.functional.conftest import Home

USAGE = 64


@pytest.mark.parametrize(
    "line",
    [
        "",
        "nonsense",
        "plan --nonsense",
        "plan --format xml",
        "plan --allow-deletes -1",
        "plan --allow-deletes many",
        "plan --report json",
        "plan --report xml=x",
        "apply no-such-plan",
        "test no-such-connector",
        "test newsletter",
        "test --label no-such-label",
        "test --depth sideways",
        "show",
        "show support info",
        "show Nonsense.support",
        "history support info",
        "history show",
        "history attempts --outcome nonsense",
        "history show support",
        "history show 0",
        "history show 1 2",
        "diff",
        "diff -1",
        "rollback",
        "rollback 1",
        "rollback 0 --out x",
        "import support",
        "diff 1 2 3",
        "history --limit 0",
        "route",
        "schema",
        "schema nonsense",
        "schema connectors --check connectors.d",
        "state",
        "state unlock",
        "status --only fine",
    ],
)
def test_invalid_arguments_are_usage_errors(line: str, home: Home) -> None:
    done = home(*line.split())
    assert done.status == USAGE, done.said
    assert done.out == ""
    assert "Error: " in done.err or line in ("", "state"), done.err
    assert "Traceback" not in done.err
    assert not home.state.exists()


def test_version_and_help(home: Home) -> None:
    from reconciler import __version__

    assert home("--version").out == f"reconciler {__version__}\n"
    for line in (("--help",), ("plan", "-h"), ("state", "unlock", "--help")):
        done = home(*line)
        assert done.status == 0
        assert "Usage: reconciler" in done.out
        assert "Examples:" in done.out


def test_status_chooses(home: Home) -> None:
    assert home("status").out == "Nothing was applied yet. Start with `reconciler plan`.\n"
    home.apply_untested()

    def names(*options: str) -> list[str]:
        document = json.loads(home("status", "--format", "json", *options).out)
        return [item["name"] for item in document["connectors"]]

    assert names() == ["info", "invoices", "newsletter", "no-reply", "payroll", "support"]
    assert names("in*", "support") == ["info", "invoices", "support"]
    assert names("--label", "hr", "--label", "confidential") == ["payroll"]
    assert names("--only", "incomplete") == ["newsletter"]
    assert names("no-such") == []
    assert home("status", "no-such").out.startswith("No stored connector named no-such.")


def test_show_names_what_is_there(home: Home) -> None:
    home.apply_untested()
    for what in ("support", "EmailConnector.support", "GlobalSmtpPolicy", "Roles", "Group.hr"):
        done = home("show", what)
        assert done.status == 0, done.said
    done = home("show", "suport")
    assert done.status == 1
    assert "EmailConnector.suport is not in the state" in done.err
    assert "support" in done.err


def test_the_history_of_a_resource_that_never_existed(home: Home) -> None:
    assert home("history").out == "Nothing was applied yet.\n"
    home.apply_untested()
    assert "there is no history of EmailConnector.no-such" in home("history", "no-such").err
    for asked in (("history", "show", "7"), ("diff", "7"), ("diff", "1", "7")):
        done = home(*asked)
        assert done.status == 1
        assert "there is no revision 7" in done.err
        assert "The newest is 1." in done.err


@pytest.mark.parametrize(
    ("question", "status", "answer"),
    [
        ("--from support@contoso.example --as ada@contoso.example", 0, "Goes out through support"),
        ("--connector support --as ada@contoso.example", 0, "Goes out through support"),
        ("--from x@contoso.example --as ada@contoso.example", 0, "Goes out through no-reply"),
        ("--from payroll@contoso.example --as ada@contoso.example", 1, "Refused:"),
        ("--connector newsletter --as ada@contoso.example", 1, "Refused:"),
        ("--connector invoices --as finance-lead@contoso.example", 1, "Refused:"),
        ("--from info@contoso.example --as agency@adventure-works.example", 0, "through info"),
        ("--from support@contoso.example --as agency@adventure-works.example", 1, "Refused:"),
    ],
)
def test_a_route_is_explained(question: str, status: int, answer: str, home: Home) -> None:
    configured = home("route", "--config", *question.split())
    assert (configured.status, answer in configured.out) == (status, True), configured.said
    home.apply_untested()
    stored = home("route", *question.split())
    assert stored == configured
    document = json.loads(home("route", "--format", "json", *question.split()).out)
    assert document["allowed"] is (status == 0)


def test_a_route_is_read_from_the_files_or_the_state_not_both(home: Home) -> None:
    asked = ("route", "--as", "ada@contoso.example", "--connector", "support", "--config")
    both = home(*asked, "--state", "sqlite:///.reconciler/state.db")
    assert both.status == 64
    assert "give one" in both.err
    assert home(*asked, RECONCILER_STATE="sqlite:///elsewhere.db").status == 0
    assert home(*asked, "nowhere").status == 3


def test_nothing_is_routed_before_anything_is_applied(home: Home) -> None:
    done = home("route", "--from", "support@contoso.example", "--as", "ada@contoso.example")
    assert done.status == 1
    assert done.out.startswith("Refused:")


def test_schemas_are_printed_written_and_checked(home: Home) -> None:
    for name in NAMES:
        assert json.loads(home("schema", name).out)["$schema"].endswith("2020-12/schema")
    assert home("schema", "--out", "schemas").out.count("Wrote ") == len(NAMES)
    assert home("schema", "--check", "schemas").status == 0
    path = home.folder / "schemas" / "plan.schema.json"
    path.write_text(path.read_text() + " ")
    done = home("schema", "--check", "schemas")
    assert done.status == 1
    assert "schemas/plan.schema.json is out of date" in done.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("\x1b[31mplan",),
        ("plan", "--no-such-\x1b]0;owned\x07"),
        ("plan", "--format", "\x1b[2J"),
        ("show", "\x1b[1A\u202egpj.exe"),
        ("validate", "--config", "no\x1bsuch\rfolder"),
        ("test", "--only", "\u2066x\x9b31m"),
        ("apply", "\x1bplan.json"),
        ("-C", "\x1b]0;owned\x07", "status"),
    ],
)
def test_an_error_moves_no_cursor_and_turns_no_text(home: Home, arguments: tuple[str, ...]) -> None:
    done = home(*arguments)
    assert done.status != 0
    assert not [char for char in done.said if char != "\n" and not char.isprintable()]
