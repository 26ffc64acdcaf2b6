"""The main job, as a new user has it: from YAML files to an applied, live-tested state."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.functional.conftest import Home

FIRST_COMMAND = ("sandbox", "--", "reconciler", "apply", "--auto-approve")


def test_the_first_command_applies_the_shipped_example_and_the_second_run_finds_nothing_to_do(
    home: Home,
) -> None:
    first = home.run(*FIRST_COMMAND)
    assert first.status == 0, first.said
    assert "Plan: 19 to add, 0 to change, 0 to destroy." in first.out
    assert "Tested 5: 5 passed." in first.said
    assert "Apply complete! Resources: 19 added, 0 changed, 0 destroyed." in first.out
    assert "Connections are redirected:\n  imap.gmail.com:993=127.0.0.1:" in first.err

    second = home.run(*FIRST_COMMAND)
    assert second.status == 0, second.said
    assert second.out == "No changes. The stored state matches the configuration.\n"
    assert "Testing" not in second.said

    assert not home.state.exists(), "the sandbox has a state of its own"
    shown = home.run("sandbox", "--", "reconciler", "status", "--format", "json")
    statuses = {item["name"]: item["status"] for item in json.loads(shown.out)["connectors"]}
    assert statuses == {
        "info": "ready",
        "invoices": "ready",
        "newsletter": "incomplete",
        "no-reply": "ready",
        "payroll": "ready",
        "support": "ready",
    }


def test_from_plan_to_history(live: Home) -> None:
    planned = live("plan", "--detailed-exitcode")
    assert planned.status == 2
    assert "# EmailConnector.support will be created" in planned.out

    tested = live("test")
    assert tested.status == 0, tested.said
    assert tested.out.endswith("Tested 5: 5 passed. Connection test succeeded.\n")
    assert "Nothing was applied yet" in live("status").out, "a test alone stores nothing"

    applied = live("apply", "--auto-approve")
    assert applied.status == 0, applied.said
    assert "The stored state is at serial 1." in applied.out
    assert live("plan", "--detailed-exitcode").status == 0

    live.edit("support.yaml", "Support mailbox ", "Help desk ")
    changed = live("apply", "--auto-approve")
    assert changed.status == 0, changed.said
    assert '~ display_name = "Support mailbox" -> "Help desk"' in changed.out
    assert "Testing" not in changed.said, "a display name is nothing that a connection uses"
    assert "Resources: 0 added, 1 changed, 0 destroyed." in changed.out

    history = live("history").out.splitlines()
    assert [line.split()[0] for line in history] == ["SERIAL", "2", "1"]
    assert live.environ["RECONCILER_ACTOR"] in history[1]
    assert "+0 ~1 -0" in history[1]
    assert "Help desk" in live("show", "support").out
    assert live("history", "support").out.count("EmailConnector.support") == 2
    assert "# EmailConnector.support was updated" in live("history", "show", "2").out


def test_the_policy_reroutes_everybody_and_says_so_first(live: Home) -> None:
    assert live("apply", "--auto-approve").status == 0
    asked = ("route", "--from", "payroll@contoso.example", "--as", "hr-lead@contoso.example")
    assert "as payroll@contoso.example." in live(*asked).out
    live.edit("policy.yaml", "enabled: false", "enabled: true")
    planned = live("plan").out
    assert "3 senders rerouted" in planned
    assert "no-reply (global policy)" in planned
    assert "as no-reply@contoso.example." in live(*asked, "--config").out
    assert "as payroll@contoso.example." in live(*asked).out, "nothing is applied yet"

    applied = live("apply", "--auto-approve", "--allow-policy-change")
    assert applied.status == 0, applied.said
    assert "Testing 1 connector live" in applied.said
    routed = live(*asked).out
    assert "as no-reply@contoso.example." in routed
    assert "Reply-To: payroll@contoso.example" in routed


def test_a_rename_keeps_the_history(live: Home) -> None:
    assert live("apply", "--auto-approve").status == 0
    live.edit("info.yaml", "name: info\n", "name: enquiries\nrenamed_from: info\n")
    live.edit("info.yaml", "connector: info", "connector: enquiries")
    done = live("apply", "--auto-approve")
    assert done.status == 0, done.said
    assert "EmailConnector.info will be renamed to enquiries" in done.out
    assert "rename from info" in live("history", "enquiries").out
    assert "create" in live("history", "enquiries").out


def test_a_rotated_secret_is_tested_and_applied_without_a_change_of_the_files(live: Home) -> None:
    live.edit("support.yaml", "env:SUPPORT_CLIENT_SECRET", "file:secret")
    secret = live.folder / "secret"
    secret.write_text(live.environ["SUPPORT_CLIENT_SECRET"])
    secret.chmod(0o600)
    assert live("apply", "--auto-approve").status == 0
    secret.write_text(live.environ["SUPPORT_CLIENT_SECRET"] + "\n")
    assert live("plan", "--check-secrets", "--detailed-exitcode").status == 0, "one newline is none"
    secret.write_text("another one")
    assert live("plan", "--detailed-exitcode").status == 0, "no secret is looked at"
    planned = live("plan", "--check-secrets", "--detailed-exitcode")
    assert planned.status == 2
    assert "file:secret (rotated)" in planned.out
    refused = live("apply", "--auto-approve")
    assert refused.status == 4
    assert "oauth_token" in refused.said
    assert "The client secret is wrong." in refused.said


def test_deleting_a_connector_deletes_its_permissions(live: Home) -> None:
    assert live("apply", "--auto-approve").status == 0
    live.remove("invoices.yaml")
    done = live("apply", "--auto-approve")
    assert done.status == 0, done.said
    assert "# EmailConnector.invoices will be destroyed" in done.out
    assert "# Permissions.invoices will be destroyed" in done.out
    assert live("show", "invoices").status == 1
    assert "delete" in live("history", "invoices").out


def test_the_settings_file_moves_the_state(home: Home) -> None:
    home.write("../reconciler.yaml", "state: sqlite:///elsewhere/mail.db\n")
    (home.folder / "elsewhere").mkdir()
    home.apply_untested()
    assert (home.folder / "elsewhere" / "mail.db").exists()
    assert not home.state.exists()
    elsewhere = home.folder / "deep" / "er"
    elsewhere.mkdir(parents=True)
    shutil.move(home.config, elsewhere / "connectors.d")
    shutil.move(home.folder / "reconciler.yaml", elsewhere)
    assert home("status", "--config", "deep/er/connectors.d").out.startswith("Nothing was applied")
    found = home(
        "status", "--config", "deep/er/connectors.d", "--state", "sqlite:///elsewhere/mail.db"
    )
    assert "Support mailbox" in found.out
