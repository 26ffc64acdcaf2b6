"""Who may apply what: judged by what is stored, and told in the plan already."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.functional.conftest import Home

DENIED = 8
SKIP = ("--auto-approve", "--skip-tests", "no servers here")

CHANGES = {
    "connector": ("support.yaml", "Support mailbox ", "Help desk "),
    "payroll": ("payroll.yaml", "display_name: Payroll", "display_name: Wages"),
    "group": ("groups.yaml", "deputy@contoso.example", "other@contoso.example"),
    "roles": ("roles.yaml", "platform@contoso.example", "other@contoso.example"),
}


@pytest.mark.parametrize(
    ("change", "actor", "allowed"),
    [
        ("connector", "mail-lead@contoso.example", True),
        ("connector", "MAIL-LEAD@contoso.example", True),
        ("connector", "deputy@contoso.example", False),
        ("connector", "ada@contoso.example", False),
        ("payroll", "hr-lead@contoso.example", True),
        ("payroll", "mail-lead@contoso.example", False),
        ("group", "deputy@contoso.example", True),
        ("group", "platform@contoso.example", False),
        ("roles", "mail-lead@contoso.example", True),
        ("roles", "hr-lead@contoso.example", False),
    ],
)
def test_rights_are_those_that_are_stored(
    change: str, actor: str, *, allowed: bool, home: Home
) -> None:
    home.apply_untested()
    home.edit(*CHANGES[change])
    planned = home("plan", "--actor", actor)
    assert planned.status == 0
    assert (f"An apply by {actor} is refused" in planned.out) is not allowed
    done = home("apply", "--actor", actor, *SKIP)
    assert done.status == (0 if allowed else DENIED), done.said
    if not allowed:
        assert f"{actor} may not make this change:" in done.err
        assert "The name comes from --actor." in done.err
        assert "No changes" not in home("plan").out


def test_nobody_grants_themselves_a_right_and_uses_it_in_the_same_apply(home: Home) -> None:
    home.apply_untested()
    home.edit("roles.yaml", "administrators:   ", "administrators:\n  users: [ada@contoso.example]")
    home.edit(*CHANGES["connector"])
    assert home("apply", "--actor", "ada@contoso.example", *SKIP).status == DENIED


def test_the_first_apply_is_anybodys(home: Home) -> None:
    done = home("apply", "--actor", "somebody", *SKIP)
    assert done.status == 0, done.said


def test_the_ci_system_says_who_acts_and_on_which_commit(home: Home) -> None:
    del home.environ["RECONCILER_ACTOR"]
    ci = {"GITHUB_ACTIONS": "true", "GITHUB_ACTOR": "octocat", "GITHUB_SHA": "0123456789abcdef"}
    done = home("apply", *SKIP, **ci)
    assert done.status == 0, done.said
    history = home("history").out
    assert "octocat" in history
    assert "0123456789" in history
    home.edit(*CHANGES["connector"])
    done = home("apply", *SKIP, **ci)
    assert done.status == DENIED
    assert "The name comes from GitHub Actions (GITHUB_ACTOR)." in done.err
