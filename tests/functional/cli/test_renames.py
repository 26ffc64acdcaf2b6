"""A renamed connector keeps its history, its permissions and its fingerprints."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.builders import FINGERPRINT_KEY

if TYPE_CHECKING:
    from tests.functional.conftest import Home

REFUSED = 5


def rename(home: Home, old: str, new: str, former: str | None = None) -> None:
    """Give the connector of ``info.yaml`` another name, with the permissions that stand beside it."""
    if former is None:
        home.edit("info.yaml", f"name: {old}\n", f"name: {new}\nrenamed_from: {old}\n")
    else:
        home.edit(
            "info.yaml",
            f"name: {old}\nrenamed_from: {former}\n",
            f"name: {new}\nrenamed_from: {old}\n",
        )
    home.edit("info.yaml", f"connector: {old}\n", f"connector: {new}\n")


@pytest.fixture
def applied(shared: Home) -> Home:
    """The example, applied with a fingerprint of the secret of info."""
    shared.environ |= {"RECONCILER_FINGERPRINT_KEY": FINGERPRINT_KEY, "INFO_APP_PASSWORD": "one"}
    shared.apply_untested()
    return shared


def marks(home: Home, name: str) -> list[dict[str, str]]:
    """The fingerprints that are kept of a connector."""
    export = json.loads(home("state", "export").out)
    (found,) = [
        item["fingerprints"]
        for item in export["resources"]
        if (item["kind"], item["name"]) == ("EmailConnector", name)
    ]
    assert isinstance(found, list)
    return found


def actions(home: Home, name: str) -> list[tuple[str, str]]:
    """What happened to a connector, newest first: the action and the name after it."""
    entries = json.loads(home("history", name, "--format", "json").out)["entries"]
    return [(item["action"], item["address"].partition(".")[2]) for item in entries]


def test_a_rename_keeps_history_permissions_policy_and_fingerprints(applied: Home) -> None:
    kept = marks(applied, "info")
    assert kept
    permissions = json.loads(applied("show", "Permissions.info", "--format", "json").out)["spec"]
    rename(applied, "info", "helpdesk")
    planned = applied("plan").out
    assert "# EmailConnector.info will be renamed to helpdesk" in planned
    assert "Plan: 0 to add, 2 to change, 0 to destroy." in planned
    applied.apply_untested()
    assert marks(applied, "helpdesk") == kept
    moved = json.loads(applied("show", "Permissions.helpdesk", "--format", "json").out)["spec"]
    assert moved == permissions | {"connector": "helpdesk"}
    assert applied("show", "info").status == 1
    assert actions(applied, "helpdesk") == [("rename", "helpdesk"), ("create", "info")]
    assert actions(applied, "info") == actions(applied, "helpdesk")
    assert applied("plan", "--detailed-exitcode", "--check-secrets").status == 0
    applied.environ["INFO_APP_PASSWORD"] = "two"
    assert (
        "# EmailConnector.helpdesk has a rotated secret" in applied("plan", "--check-secrets").out
    )


def test_the_policy_follows_the_connector_that_it_names(applied: Home) -> None:
    applied.edit("no-reply.yaml", "name: no-reply\n", "name: robot\nrenamed_from: no-reply\n")
    for file in ("no-reply.yaml", "policy.yaml"):
        path = applied.config / file
        path.write_text(path.read_text("utf-8").replace("connector: no-reply", "connector: robot"))
    assert "0 to destroy" in applied("plan").out
    applied.apply_untested("--allow-policy-change")
    spec = json.loads(applied("show", "GlobalSmtpPolicy", "--format", "json").out)["spec"]
    assert spec["connector"] == "robot"
    assert actions(applied, "robot") == [("rename", "robot"), ("create", "no-reply")]
    routed = applied("route", "--from", "x@contoso.example", "--as", "ada@contoso.example")
    assert "through robot" in routed.out


def test_one_rename_after_another_leads_back_to_the_first_name(applied: Home) -> None:
    rename(applied, "info", "helpdesk")
    applied.apply_untested()
    rename(applied, "helpdesk", "desk", former="info")
    applied.apply_untested()
    assert actions(applied, "desk") == [
        ("rename", "desk"), ("rename", "helpdesk"), ("create", "info")]  # fmt: skip
    assert [actions(applied, name) for name in ("info", "helpdesk")] == [
        actions(applied, "desk")
    ] * 2
    assert marks(applied, "desk")
    assert "Permissions.desk" in applied("history", "Permissions.desk").out


def test_two_connectors_swap_their_names_through_a_third(applied: Home) -> None:
    def one(file: str, old: str, new: str, *actor: str) -> None:
        path = applied.config / file
        text = path.read_text("utf-8")
        before = text.replace(f"name: {old}\n", f"name: {new}\nrenamed_from: {old}\n")
        before = before.replace(f"connector: {old}\n", f"connector: {new}\n")
        path.write_text(before, "utf-8")
        applied.apply_untested(*actor)
        # It has done its work, and the name may go to another now.
        path.write_text(before.replace(f"renamed_from: {old}\n", ""), "utf-8")

    one("info.yaml", "info", "between")
    one("invoices.yaml", "invoices", "info", "--actor", "finance-lead@contoso.example")
    one("info.yaml", "between", "invoices")
    assert actions(applied, "info") == [("rename", "info"), ("create", "invoices")]
    assert actions(applied, "invoices") == [
        ("rename", "invoices"), ("rename", "between"), ("create", "info")]  # fmt: skip
    assert "General enquiries" in applied("show", "invoices").out
    assert "Supplier invoices" in applied("show", "info").out
    assert applied("plan", "--detailed-exitcode").status == 0


def test_what_prevents_a_destroy_is_held_by_the_state(shared: Home) -> None:
    shared.apply_untested()
    text = (shared.config / "payroll.yaml").read_text("utf-8")
    shared.remove("payroll.yaml")
    lead = ("--actor", "hr-lead@contoso.example")
    done = shared("apply", "--auto-approve", "--skip-tests", "no servers here")
    assert done.status == REFUSED, done.said
    assert "payroll" in shared("status").out
    lifted = text.replace("prevent_destroy: true", "prevent_destroy: false")
    assert lifted != text
    (shared.config / "payroll.yaml").write_text(lifted, "utf-8")
    shared.apply_untested(*lead)
    shared.remove("payroll.yaml")
    shared.apply_untested()
    assert shared("show", "payroll").status == 1


def test_an_unknown_former_name_is_reported(applied: Home) -> None:
    rename(applied, "info", "helpdesk")
    applied.edit("info.yaml", "renamed_from: info\n", "renamed_from: inof\n")
    said = "helpdesk has renamed_from: inof, but the state has no connector of either name"
    assert said in applied("plan").err
    assert said in applied("apply", "--auto-approve").err
    applied.apply_untested()
    assert said not in applied("plan").err
