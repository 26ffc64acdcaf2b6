"""``--only``, ``--label`` and ``--kind``; what a change does not touch cannot block it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from tests.functional.conftest import Home

REFUSED: Final = 5
STALE: Final = 6
NOT_AUTHORISED: Final = 8
USAGE: Final = 64

UNTESTED: Final = ("apply", "--auto-approve", "--skip-tests", "no servers here")


@pytest.fixture
def edited(home: Home) -> Home:
    """An applied project with later changes to two connectors and a group."""
    home.apply_untested()
    home.edit("support.yaml", "Support mailbox ", "Help desk ")
    home.edit("info.yaml", "kind: EmailConnector\n", "kind: EmailConnector\nsave_sent: always\n")
    home.write("more.yaml", "kind: Group\nname: more\nmembers: {users: [ada@contoso.example]}\n")
    return home


def changed(home: Home, *options: str) -> list[str]:
    done = home("plan", "--format", "json", *options)
    assert done.status == 0, done.said
    return [item["address"] for item in json.loads(done.out)["resource_changes"]]


def test_a_plan_covers_the_requested_scope(edited: Home) -> None:
    everything = ["Group.more", "EmailConnector.info", "EmailConnector.support"]
    assert changed(edited) == everything
    assert changed(edited, "--only", "sup*") == ["EmailConnector.support"]
    assert changed(edited, "--label", "customer-facing") == everything[1:]
    assert changed(edited, "--kind", "group") == ["Group.more"]
    assert changed(edited, "--only", "info", "--only", "Group.*") == everything[:2]


def test_a_partial_plan_says_so(edited: Home) -> None:
    done = edited("plan", "--only", "support")
    assert "This plan is partial: --only support." in done.out
    assert (
        "leaves out 2 resources that would change too: Group.more, EmailConnector.info." in done.out
    )
    document = json.loads(edited("plan", "--only", "support", "--format", "json").out)["partial"]
    assert document["scope"] == {"only": ["support"], "labels": [], "kinds": []}
    assert document["left_out"] == ["Group.more", "EmailConnector.info"]
    assert "This plan is partial" in edited("plan", "--only", "support", "--format", "markdown").out
    nothing = edited("plan", "--only", "payroll", "--detailed-exitcode")
    assert nothing.status == 0
    assert "No changes within --only payroll." in nothing.out


def test_an_apply_of_a_part_leaves_the_rest_to_another(edited: Home) -> None:
    edited.apply_untested("--only", "support")
    assert changed(edited) == ["Group.more", "EmailConnector.info"]
    assert "partial: --only support; tests skipped: " in edited("history", "--limit", "1").out
    (entry,) = json.loads(edited("history", "--format", "json", "--limit", "1").out)["revisions"]
    assert entry["note"].startswith("partial: --only support; ")
    assert edited("plan", "--only", "support", "--detailed-exitcode").status == 0
    edited.apply_untested()
    assert edited("plan", "--detailed-exitcode").status == 0


@pytest.mark.parametrize(
    ("option", "hint"),
    [
        (("--only", "suport"), "Did you mean `support`?"),
        (("--label", "west"), "The labels are:"),
        (("--label", "customer-facing", "--kind", "Group"), "narrows the others down"),
    ],
)
@pytest.mark.parametrize("command", ["plan", "apply"])
def test_an_empty_scope_is_rejected(
    edited: Home, command: str, option: tuple[str, ...], hint: str
) -> None:
    done = edited(command, *option)
    assert done.status == USAGE
    assert hint in done.err


def test_a_saved_plan_is_bound_to_its_scope(edited: Home) -> None:
    assert edited("plan", "--only", "support", "--out", "plan.json").status == 0
    assert (
        "It is partial: --only support. It leaves out Group.more" in edited("show", "plan.json").out
    )
    other = edited(*UNTESTED, "plan.json", "--only", "info")
    assert other.status == REFUSED
    assert "saved for --only support, but --only info was given" in other.err
    done = edited(*UNTESTED, "plan.json")
    assert done.status == 0, done.said
    assert changed(edited) == ["Group.more", "EmailConnector.info"]


def test_a_saved_plan_of_everything_rejects_a_scope(edited: Home) -> None:
    assert edited("plan", "--out", "plan.json").status == 0
    done = edited(*UNTESTED, "plan.json", "--only", "info")
    assert done.status == REFUSED
    assert "saved for everything" in done.err


def test_a_change_of_the_configuration_outside_makes_a_saved_plan_stale(edited: Home) -> None:
    assert edited("plan", "--only", "support", "--out", "plan.json").status == 0
    edited.remove("more.yaml")
    assert edited(*UNTESTED, "plan.json").status == STALE


def test_a_right_outside_the_scope_is_not_needed(edited: Home) -> None:
    edited.edit("payroll.yaml", "display_name: Payroll", "display_name: Wages")
    assert edited(*UNTESTED).status == NOT_AUTHORISED
    edited.apply_untested("--only", "support", "--kind", "EmailConnector")


def test_a_rotated_secret_of_another_team_is_reported_and_left(home: Home) -> None:
    home.environ |= {"PAYROLL_SMTP_PASSWORD": "before-it-was-rotated"}
    home.apply_untested()
    home.environ |= {"PAYROLL_SMTP_PASSWORD": "after-it-was-rotated"}
    home.write("more.yaml", "kind: Group\nname: more\nmembers: {users: [ada@contoso.example]}\n")
    planned = home("plan", "--check-secrets")
    assert "Plan: 1 to add, 0 to change" in planned.out
    done = home(*UNTESTED)
    assert done.status == 0, done.said
    assert "the secret of payroll was rotated, which is left for another apply" in done.err
    assert "requires one of the administrators of payroll" in done.err
    theirs = ("--actor", "hr-lead@contoso.example")
    pending = home("plan", "--check-secrets", *theirs)
    assert "EmailConnector.payroll has a rotated secret" in pending.out
    home.apply_untested(*theirs)
    assert "No changes." in home("plan", "--check-secrets", *theirs).out


def test_secrets_outside_the_scope_are_not_fetched(home: Home) -> None:
    home.edit("info.yaml", "env:INFO_APP_PASSWORD", "file:nowhere")
    home.environ |= {"SUPPORT_CLIENT_SECRET": "a-secret"}
    home.apply_untested()
    home.edit("support.yaml", "Support mailbox ", "Help desk ")
    whole = home("plan", "--check-secrets")
    assert "file:nowhere" in whole.err
    assert home("plan", "--check-secrets", "--only", "support").err == ""


def test_a_failing_connector_that_is_not_changed_fails_no_apply(live: Home) -> None:
    assert live("apply", "--auto-approve").status == 0
    live.redirect("mail.contoso.example", 587, 1)
    assert live("test", "payroll").status != 0
    assert "failing" in live("status", "payroll").out
    live.edit("support.yaml", "Support mailbox ", "Help desk ")
    planned = live("plan")
    assert (
        "Not tested by an apply, which does not change them: payroll (it is failing)."
        in planned.out
    )
    for options in ((), ("--keep-going",)):
        done = live("apply", "--auto-approve", *options)
        assert done.status == 0, done.said
    assert "failing" in live("status", "payroll").out


def test_a_test_takes_the_same_scope(live: Home) -> None:
    def tested(*options: str) -> set[str]:
        done = live("test", "--format", "json", "--no-record", *options)
        assert done.status == 0, done.said
        return {item["connector"] for item in json.loads(done.out)["connectors"]}

    assert tested("--only", "sup*") == {"support"}
    assert tested("--only", "sup*", "--kind", "Permissions") == {"support"}
    assert tested("--kind", "GlobalSmtpPolicy") == {"no-reply"}
    assert live("test", "--only", "suport").status == USAGE
