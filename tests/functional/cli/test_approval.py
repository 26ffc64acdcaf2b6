"""Approval: a question on a terminal, to a person, who may answer no."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Final

import pytest

from tests.functional.terminal import QUESTION, terminal

if TYPE_CHECKING:
    from tests.functional.conftest import Home

VARIABLES: Final = (
    "INFO_APP_PASSWORD",
    "INVOICES_PASSWORD",
    "NO_REPLY_PASSWORD",
    "PAYROLL_PASSWORD",
    "PAYROLL_SMTP_PASSWORD",
    "SUPPORT_CLIENT_SECRET",
)
"""What the tests of the example's connectors need."""


@pytest.fixture
def asked(home: Home) -> Home:
    """The example with all of its variables set, so that a question is asked."""
    home.environ |= dict.fromkeys(VARIABLES, "anything")
    return home


def test_yes_applies(live: Home) -> None:
    with terminal(live, "apply") as shell:
        shell.read_until(QUESTION)
        assert "Plan: 19 to add, 0 to change, 0 to destroy." in shell.shown
        assert "Testing" not in shell.shown, "nothing is tested before somebody has said yes"
        shell.type("yes\n")
        assert shell.wait() == 0, shell.shown
    assert "5/5" in shell.shown, "the bar got to its end"
    assert "Tested 5: 5 passed." in shell.shown
    assert "Apply complete!" in shell.shown
    assert live("status", "--only", "ready").out.count("ready") == 5


@pytest.mark.parametrize("answer", ["no", "y", "Yes", "", "yes please"])
def test_any_answer_but_yes_applies_nothing(answer: str, asked: Home) -> None:
    with terminal(asked, "apply") as shell:
        shell.read_until(QUESTION)
        shell.type(f"{answer}\n")
        assert shell.wait() == 5, shell.shown
    assert shell.shown.rstrip().endswith("Not applied.")
    assert "Nothing was applied yet" in asked("status").out
    assert asked("state", "lock").out == "The state is not locked.\n"


@pytest.mark.parametrize("key", ["\x03", "\x04"])
def test_ctrl_c_and_end_of_input_at_the_prompt_decline(key: str, asked: Home) -> None:
    with terminal(asked, "apply") as shell:
        shell.read_until(QUESTION)
        shell.type(key)
        assert shell.wait() == 130, shell.shown
    assert "Traceback" not in shell.shown
    assert "Interrupted." in shell.shown
    assert "Nothing was applied yet" in asked("status").out
    assert asked("state", "lock").out == "The state is not locked.\n"


def test_a_hang_up_at_the_question_leaves_no_lock(asked: Home) -> None:
    with terminal(asked, "apply") as shell:
        shell.read_until(QUESTION)
        shell.process.send_signal(signal.SIGTERM)
        assert shell.wait() == 130
    assert asked("state", "lock").out == "The state is not locked.\n"


def test_approving_the_plan_allows_a_change_of_the_policy(home: Home) -> None:
    home.apply_untested()
    home.edit("policy.yaml", "enabled: false", "enabled: true")
    with terminal(home, "apply", "--skip-tests", "no servers here") as shell:
        shell.read_until(QUESTION)
        shell.type("yes\n")
        assert shell.wait() == 0, shell.shown


def test_a_terminal_gets_colour_unless_it_is_dumb_or_asked_not_to(home: Home) -> None:
    with terminal(home, "plan") as shell:
        assert shell.wait() == 0
    assert "\033[32m+\033[0m" in shell.shown
    for name, text in (("NO_COLOR", "1"), ("TERM", "dumb")):
        with terminal(home, "plan", environ={name: text}) as shell:
            assert shell.wait() == 0
        assert "\033[" not in shell.shown
    with terminal(home, "plan", "--no-color") as shell:
        assert shell.wait() == 0
    assert "\033[" not in shell.shown


def test_a_narrow_terminal_is_not_overrun_by_tables(home: Home) -> None:
    home.apply_untested()
    for columns in (60, 80):
        with terminal(home, "status", "--no-color", columns=columns) as shell:
            assert shell.wait() == 0
        assert max(len(line) for line in shell.shown.splitlines()) <= columns, shell.shown


def test_a_variable_that_is_not_set_is_named_before_anybody_is_asked(live: Home) -> None:
    del live.environ["PAYROLL_SMTP_PASSWORD"]
    live.environ["INFO_APP_PASSWORD"] = ""
    with terminal(live, "apply") as shell:
        assert shell.wait() == 4, shell.shown
    assert QUESTION not in shell.shown
    shown = " ".join(shell.shown.split())
    assert "the live test would fail with secret_missing" in shown
    assert "the secret env:PAYROLL_SMTP_PASSWORD is not set, which payroll needs" in shown
    assert "the secret env:INFO_APP_PASSWORD is empty, which info needs" in shown
    assert "Testing" not in shell.shown
    assert "Nothing was applied yet" in live("status").out
    attempts = live("history", "attempts")
    assert "INFO_APP_PASSWORD" not in attempts.said, "nothing was fetched, so nothing was tried"


def test_with_keep_going_they_are_reported_and_the_rest_is_applied(live: Home) -> None:
    del live.environ["PAYROLL_SMTP_PASSWORD"]
    with terminal(live, "apply", "--keep-going", columns=120) as shell:
        shell.read_until(QUESTION)
        assert "the secret env:PAYROLL_SMTP_PASSWORD is not set" in " ".join(shell.shown.split())
        shell.type("yes\n")
        assert shell.wait() == 4, shell.shown
    assert "support" in live("status").out


def test_an_untested_connector_needs_no_variable(home: Home) -> None:
    with terminal(home, "apply", "--skip-tests", "no servers here") as shell:
        shell.read_until(QUESTION)
        shell.type("yes\n")
        assert shell.wait() == 0, shell.shown


def test_permissions_are_checked_before_variables(home: Home) -> None:
    home.apply_untested()
    home.edit("support.yaml", "outlook.office365.com", "imap.elsewhere.example")
    with terminal(home, "apply", "--actor", "nobody@contoso.example") as shell:
        assert shell.wait() == 8, shell.shown
    assert "secret_missing" not in shell.shown


def test_without_a_terminal_the_apply_is_refused(home: Home) -> None:
    done = home("apply")
    assert done.status == 5
    assert "there is no terminal to ask" in " ".join(done.err.split())
