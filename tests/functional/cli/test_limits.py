"""What an apply refuses although the configuration is valid, and how to allow it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.functional.conftest import Home

REFUSED = 5

CONNECTOR = """\
kind: EmailConnector
name: c{number}
display_name: Connector {number}
imap:
  server: mail.example.com
  port: 993
  use_ssl: true
  username: c{number}@example.com
  password: env:C{number}
"""


def write(home: Home, *numbers: int) -> None:
    for path in home.config.iterdir():
        path.unlink()
    for number in numbers:
        home.write(f"c{number}.yaml", CONNECTOR.format(number=number))


@pytest.fixture
def eleven(bare: Home) -> Home:
    """Eleven connectors, applied."""
    write(bare, *range(11))
    bare.apply_untested()
    return bare


def test_deleting_five_of_eleven_connectors_is_refused(eleven: Home) -> None:
    write(eleven, *range(6))
    planned = eleven("plan")
    assert planned.status == 0, "a limit never keeps a plan from being shown"
    assert "Plan: 0 to add, 0 to change, 5 to destroy." in planned.out
    assert "5 of 11 stored connectors (45 %) would be deleted; the limit is 30 %" in planned.out
    done = eleven("apply", "--auto-approve")
    assert done.status == REFUSED
    assert "To allow it: --allow-deletes 5" in done.err
    assert done.out.rstrip() == planned.out.rstrip(), "what is refused is shown all the same"
    assert eleven("apply", "--auto-approve", "--allow-deletes", "4").status == REFUSED
    assert eleven("status").out.count("Connector ") == 11
    eleven.apply_untested("--allow-deletes", "5")
    assert eleven("status").out.count("Connector ") == 6


def test_deleting_three_of_eleven_connectors_is_allowed(eleven: Home) -> None:
    write(eleven, *range(8))
    eleven.apply_untested()


def test_changing_four_of_eleven_connectors_is_refused(eleven: Home) -> None:
    for number in range(4):
        eleven.edit(f"c{number}.yaml", "name: Connector", "name: Account")
    done = eleven("apply", "--auto-approve")
    assert done.status == REFUSED
    assert "4 of 11 stored connectors (36 %) would be changed" in done.err
    eleven.apply_untested("--allow-updates", "4")


def test_the_settings_move_the_limit(eleven: Home) -> None:
    write(eleven, *range(6))
    eleven.write("../reconciler.yaml", "limits: {max_delete_percent: 50}\n")
    eleven.apply_untested()


def test_an_empty_folder_does_not_delete_everything(eleven: Home) -> None:
    write(eleven)
    planned = eleven("plan")
    assert "the configuration is empty, and all 11 stored resources would be deleted" in planned.out
    done = eleven("apply", "--auto-approve")
    assert done.status == REFUSED
    assert "--allow-deletes 11" in done.err
    eleven.apply_untested("--allow-deletes", "11")
    assert eleven("plan", "--detailed-exitcode").status == 0


def test_the_policy_does_not_change_without_approval(home: Home) -> None:
    home.apply_untested()
    home.edit("policy.yaml", "enabled: false", "enabled: true")
    done = home("apply", "--auto-approve")
    assert done.status == REFUSED
    assert "--allow-policy-change" in done.err
    home.apply_untested("--allow-policy-change")


def test_a_protected_connector_takes_two_applies_to_delete(home: Home) -> None:
    home.apply_untested()
    payroll = (home.config / "payroll.yaml").read_text()
    home.remove("payroll.yaml")
    done = home("apply", "--auto-approve", "--allow-deletes", "100")
    assert done.status == REFUSED
    assert "EmailConnector.payroll is protected by prevent_destroy" in done.err
    home.write("payroll.yaml", payroll)
    home.edit("payroll.yaml", "prevent_destroy: true", "prevent_destroy: false")
    home.apply_untested("--actor", "hr-lead@contoso.example")
    home.remove("payroll.yaml")
    home.apply_untested()
    assert home("show", "payroll").status == 1


def test_sending_a_credential_somewhere_new_is_refused(home: Home) -> None:
    home.apply_untested()
    home.edit("support.yaml", "outlook.office365.com", "imap.attacker.example")
    planned = home("plan").out
    assert "imap.attacker.example:993 (implicit) as support@contoso.example" in planned
    del home.environ["RECONCILER_ALLOW_CREDENTIAL"]
    done = home("apply", "--auto-approve")
    assert done.status == REFUSED
    assert "support would send env:SUPPORT_CLIENT_SECRET to imap.attacker.example" in done.err
    elsewhere = ("--allow-credential", "env:SUPPORT_*=*.office365.com")
    assert home("apply", "--auto-approve", *elsewhere).status == REFUSED
    home.apply_untested("--allow-credential", "env:SUPPORT_CLIENT_SECRET=imap.attacker.example")


def test_a_plan_that_nobody_approves_is_refused_without_a_terminal(home: Home) -> None:
    done = home("apply")
    assert done.status == REFUSED
    assert "Plan: 19 to add" in done.out, "the plan is shown all the same"
    assert "the plan needs approval, but there is no terminal to ask for it" in done.err
    assert "--auto-approve" in done.err
    assert "Nothing was applied yet" in home("status").out


def test_nothing_to_do_needs_no_approval(home: Home) -> None:
    home.apply_untested()
    home.write("../reconciler.yaml", "limits: {max_delete_percent: 50}\n")
    for name in ("info", "invoices", "no-reply", "payroll", "support"):
        path = home.config / f"{name}.yaml"
        path.write_text(path.read_text() + "# a comment\n")
    done = home("apply", "--skip-tests", "no servers here")
    assert done.status == 0, done.said
    assert "~ limits.max_delete_percent: 30 (default) -> 50 (reconciler.yaml)" in done.out
    done = home("apply", "--skip-tests", "no servers here")
    assert done.status == 0, done.said
    assert done.out.startswith("No changes.")
