"""``state forget`` removes what nothing depends on, and the next plan says so."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.functional.terminal import terminal

if TYPE_CHECKING:
    from tests.functional.conftest import Home

REFUSED, DENIED, USAGE = 5, 8, 64


def test_a_forgotten_connector_goes_with_its_permissions_as_a_revision(shared: Home) -> None:
    shared.apply_untested()
    done = shared("state", "forget", "invoices", "--yes")
    assert done.status == 0, done.said
    assert "Forgotten, in revision 2." in done.out
    assert shared("show", "invoices").status == 1
    assert shared("show", "Permissions.invoices").status == 1
    assert "+0 ~0 -2" in shared("history").out
    shown = shared("history", "show", "2").out
    assert "# EmailConnector.invoices was forgotten" in shown
    assert "state forget EmailConnector.invoices" in shown
    assert "forget" in shared("history", "invoices").out


def test_the_next_plan_says_who_forgot_it_and_creates_it_again(shared: Home) -> None:
    shared.apply_untested()
    shared("state", "forget", "invoices", "--yes")
    planned = shared("plan").out
    assert "EmailConnector.invoices was forgotten in revision 2 by mail-lead@" in planned
    assert "Plan: 2 to add, 0 to change, 0 to destroy." in planned
    document = json.loads(shared("plan", "--format", "json").out)
    assert [item["serial"] for item in document["forgotten"]] == [2, 2]
    shared.apply_untested()
    assert "forgotten" not in shared("plan").out
    shared.remove("invoices.yaml")
    shared.apply_untested()
    text = (shared.config / "info.yaml").read_text("utf-8").split("---")[0]
    text = text.replace("name: info", "name: invoices")
    (shared.config / "invoices.yaml").write_text(text, "utf-8")
    assert "forgotten" not in shared("plan").out, "it was deleted since"


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("no-reply", "GlobalSmtpPolicy.default names it"),
        ("payroll", "prevent_destroy protects it"),
        ("Group.hr", "Permissions.payroll names it"),
        ("Provider.contoso", "EmailConnector.invoices names it"),
        ("Permissions.info", "others could use the connector"),
        ("Roles", "everybody would be an Administrator"),
    ],
)
def test_a_resource_that_others_depend_on_stays(address: str, reason: str, home: Home) -> None:
    home.apply_untested()
    done = home("state", "forget", address, "--yes")
    assert done.status == REFUSED
    assert reason in done.err
    assert "\n2 " not in home("history").out


def test_an_enabled_policy_stays_and_a_disabled_one_may_go(home: Home) -> None:
    home.apply_untested()
    assert home("state", "forget", "GlobalSmtpPolicy", "--yes").status == 0
    home.edit("policy.yaml", "enabled: false", "enabled: true")
    home.apply_untested("--allow-policy-change")
    done = home("state", "forget", "GlobalSmtpPolicy", "--yes")
    assert done.status == REFUSED
    assert "it carries all mail" in done.err


def test_it_requires_the_rights_of_a_delete_and_confirmation(home: Home) -> None:
    home.apply_untested()
    denied = home("state", "forget", "invoices", "--yes", "--actor", "joan@contoso.example")
    assert denied.status == DENIED
    assert "joan@contoso.example may not forget" in denied.err
    asked = home("state", "forget", "invoices")
    assert asked.status == USAGE
    assert "confirm with --yes" in asked.err
    assert home("state", "forget", "nobody", "--yes").status == 1
    assert home("show", "invoices").status == 0


def test_declining_forgets_nothing(home: Home) -> None:
    home.apply_untested()
    with terminal(home, "state", "forget", "EmailConnector.info") as shell:
        shell.read_until("Forget this resource?")
        shell.type("n\n")
        assert shell.wait() == 5, shell.shown
    assert "Nothing was changed." in shell.shown
    assert home("show", "info").status == 0
