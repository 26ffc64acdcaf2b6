"""Who may apply what: judged by what is stored, and already shown in the plan."""

from __future__ import annotations

import json
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


def test_a_right_cannot_be_granted_and_used_in_the_same_apply(home: Home) -> None:
    home.apply_untested()
    home.edit("roles.yaml", "administrators:   ", "administrators:\n  users: [ada@contoso.example]")
    home.edit(*CHANGES["connector"])
    assert home("apply", "--actor", "ada@contoso.example", *SKIP).status == DENIED


def test_the_first_apply_is_anybodys(home: Home) -> None:
    done = home("apply", "--actor", "somebody", *SKIP)
    assert done.status == 0, done.said


def test_the_ci_system_reports_the_actor_and_the_commit(home: Home) -> None:
    del home.environ["RECONCILER_ACTOR"]
    ci = {"GITHUB_ACTIONS": "true", "GITHUB_ACTOR": "octocat", "GITHUB_SHA": "0123456789abcdef"}
    done = home("apply", "--first-apply", *SKIP, **ci)
    assert done.status == 0, done.said
    history = home("history").out
    assert "octocat" in history
    assert "0123456789" in history
    home.edit(*CHANGES["connector"])
    done = home("apply", *SKIP, **ci)
    assert done.status == DENIED
    assert "The name comes from GitHub Actions (GITHUB_ACTOR)." in done.err


def test_joining_the_administrators_has_no_effect_in_the_same_apply(home: Home) -> None:
    home.apply_untested()
    home.edit(
        "groups.yaml", "deputy@contoso.example", "deputy@contoso.example, ada@contoso.example"
    )
    home.edit("info.yaml", "General enquiries", "Help desk")
    done = home("apply", "--actor", "ada@contoso.example", *SKIP)
    assert done.status == DENIED
    for address in ("Group.mail-admins", "EmailConnector.info"):
        assert f"{address}: requires an Administrator" in done.err


def test_one_change_that_is_denied_stops_all_of_them(home: Home) -> None:
    home.apply_untested()
    home.edit("payroll.yaml", "display_name: Payroll", "display_name: Wages")
    home.edit("info.yaml", "General enquiries", "Help desk")
    planned = home("plan", "--actor", "hr-lead@contoso.example").out
    assert "EmailConnector.info" in planned.partition("is refused")[2]
    for options in ((), ("--keep-going",)):
        done = home("apply", "--actor", "hr-lead@contoso.example", *SKIP, *options)
        assert done.status == DENIED
        assert "EmailConnector.payroll" not in done.err
    assert "Wages" not in home("show", "payroll").out


def test_json_lists_what_the_actor_may_not_do(home: Home) -> None:
    home.apply_untested()
    home.edit("info.yaml", "General enquiries", "Help desk")
    for actor, denied in (
        ("ada@contoso.example", ["EmailConnector.info"]),
        ("deputy@contoso.example", []),
    ):
        done = home("plan", "--actor", actor, "--format", "json", "--report", "json=plan.json")
        for text in (done.out, (home.folder / "plan.json").read_text()):
            judged = json.loads(text)["authorization"]
            assert judged["actor"] == actor
            assert [item["address"] for item in judged["denied"]] == denied
    home("apply", "--actor", "ada@contoso.example", *SKIP, "--report", "json=apply.json")
    report = json.loads((home.folder / "apply.json").read_text())
    assert report["plan"]["authorization"]["denied"][0]["message"] == (
        "requires an Administrator (deputy@contoso.example, mail-lead@contoso.example)"
    )


LAST = "no Administrator would be left"


def test_the_roles_cannot_be_taken_away_again(home: Home) -> None:
    home.apply_untested()
    home.remove("roles.yaml")
    assert LAST in home("plan").out
    done = home("apply", *SKIP)
    assert done.status == 5
    assert LAST in done.err
    assert "Roles.default" in home("show", "Roles").out


def test_neither_can_the_members_of_the_group_that_has_them(home: Home) -> None:
    home.apply_untested()
    home.edit(
        "groups.yaml", "users: [mail-lead@contoso.example, deputy@contoso.example]", "users: []"
    )
    done = home("apply", *SKIP)
    assert done.status == 3
    assert "directory/no-administrator" in done.err
    # Not even where no roles are declared beside it, so that the check of the files has nothing to say.
    home.remove("roles.yaml")
    done = home("apply", *SKIP)
    assert done.status == 5
    assert LAST in done.err


def test_an_administrator_can_go_as_long_as_another_one_stays(home: Home) -> None:
    home.apply_untested()
    home.edit("groups.yaml", "mail-lead@contoso.example, deputy", "deputy")
    assert home("apply", *SKIP).status == 0
    home.edit("info.yaml", "General enquiries", "Help desk")
    assert home("apply", *SKIP).status == DENIED
    assert home("apply", "--actor", "deputy@contoso.example", *SKIP).status == 0


def test_where_a_name_comes_from_is_recorded(home: Home) -> None:
    told = home.environ.pop("RECONCILER_ACTOR")
    ci = {"GITLAB_CI": "true", "GITLAB_USER_LOGIN": told}
    home("apply", "--first-apply", *SKIP, **ci)
    home.edit("info.yaml", "General enquiries", "Help desk")
    home("apply", *SKIP, "--actor", told)
    home.edit("info.yaml", "Help desk", "Customer care")
    home("apply", *SKIP, RECONCILER_ACTOR=told)
    revisions = json.loads(home("history", "--format", "json").out)["revisions"]
    assert [item["actor_source"] for item in revisions] == [
        "RECONCILER_ACTOR",
        "--actor",
        "GitLab CI (GITLAB_USER_LOGIN)",
    ]
    assert {item["actor"] for item in revisions} == {told}
