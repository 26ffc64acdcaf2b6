"""Words that people type: those of other tools, slips, and formats."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.functional.conftest import Home

USAGE = 64


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("pln",), "plan"),
        (("statsu",), "status"),
        (("state", "unlok", "x"), "unlock"),
        (("history", "shwo"), None),
        (("terraform",), None),
    ],
)
def test_a_command_that_does_not_exist_gets_the_nearest_name(
    home: Home, words: tuple[str, ...], meant: str | None
) -> None:
    done = home(*words)
    assert done.status != 0
    if meant is None:
        assert "Did you mean" not in done.err
    else:
        assert done.status == USAGE
        assert (
            f"No such command '{words[-1] if words[0] != 'state' else words[1]}'. Did you mean `{meant}`?"
            in done.err
        )


def test_words_of_terraform_do_what_they_say_and_name_the_native_one(home: Home) -> None:
    home.apply_untested()
    listed = home("state", "list", "sup*")
    assert (listed.status, listed.out) == (0, home("status", "sup*").out)
    assert listed.err == "Note: `state list` is `reconciler status` here.\n"
    assert home("state", "show", "support").out == home("show", "support").out
    removed = home("state", "rm", "newsletter", "--yes")
    assert removed.status == 0, removed.said
    assert "`state rm` is `reconciler state forget` here" in removed.err
    assert home("show", "newsletter").status == 1
    moved = home("state", "mv", "support", "help-desk")
    assert moved.status == USAGE
    assert "Run `reconciler rename support help-desk` and apply" in moved.err
    assert (
        "mv" not in home("state", "--help").out.split("Commands:")[1].split("Examples:")[0].split()
    )


def test_an_apply_reports_as_json(home: Home) -> None:
    done = home("apply", "--auto-approve", "--skip-tests", "no servers", "--format", "json")
    assert done.status == 0, done.said
    document = json.loads(done.out)
    assert (document["outcome"], document["serial"]) == ("applied", 1)
    assert "Plan: " in done.err
    home.edit("payroll.yaml", "display_name: Payroll", "display_name: Wages")
    refused = home("apply", "--auto-approve", "--format", "json")
    assert refused.status == 8
    assert json.loads(refused.out)["outcome"] == "failed"
    assert "hr-lead@contoso.example" in json.loads(refused.out)["error"] + refused.err


def test_who_may_make_a_change_is_named(home: Home) -> None:
    home.apply_untested()
    home.edit("payroll.yaml", "display_name: Payroll", "display_name: Wages")
    home.edit("support.yaml", "Support mailbox ", "Help desk ")
    done = home("apply", "--auto-approve", "--actor", "stranger@contoso.example")
    assert done.status == 8
    assert "requires one of the administrators of payroll (hr-lead@contoso.example)" in done.err
    assert "requires one of the administrators of support (mail-lead@contoso.example)" in done.err


@pytest.mark.parametrize("following", ["--auto-approve", "-h", "--lock-timeout"])
def test_an_option_is_not_accepted_as_a_reason_to_skip_the_tests(
    home: Home, following: str
) -> None:
    done = home("apply", "--skip-tests", following)
    assert done.status == USAGE
    assert f"the reason is missing before {following}" in done.err
    assert not home.state.exists()


def test_fmt_shows_what_it_would_change(home: Home) -> None:
    path = home.write(
        "odd.yaml", "kind: Group\nname: odd\nmembers:\n      users: [ada@contoso.example]\n"
    )
    before = path.read_text()
    done = home("fmt", "--diff")
    assert done.status == 0
    assert "--- connectors.d/odd.yaml" in done.out
    assert "-      users: [ada@contoso.example]\n+  users: [ada@contoso.example]" in done.out
    assert path.read_text() == before
    assert home("fmt", "--diff", "--check").status == 1


def test_success_is_reported_in_the_words_of_the_settings_form(live: Home) -> None:
    done = live("apply", "--auto-approve")
    assert "Connection test succeeded." in done.err
    assert "Details saved." in done.out
    assert "Connection test succeeded." in live("test").out


def test_validate_takes_files(home: Home) -> None:
    home.write("bad.yaml", "kind: Group\nname: bad\nmembers: {groups: [nobody]}\n")
    home.write("worse.yaml", "kind: Nothing\n")
    bad = "connectors.d/bad.yaml"
    for arguments in ((bad,), ("-f", bad), ("--file", bad)):
        done = home("validate", *arguments)
        assert done.status == 3
        assert "bad.yaml:3" in done.out
        assert "worse.yaml" not in done.out
        assert "The named file or folder is not valid. 1 error." in done.out
    good = home("validate", "connectors.d/support.yaml", "connectors.d/payroll.yaml")
    assert (good.status, good.out) == (0, "2 named files and folders are valid.\n")
    assert home("validate", "connectors.d").status == 3
    assert json.loads(home("validate", "-f", bad, "--format", "json").out)["valid"] is False
    assert home("validate", "connectors.d/nothing.yaml").status == USAGE


def test_validate_takes_a_file_that_is_not_part_of_the_configuration(home: Home) -> None:
    path = home.write("../draft.yaml", "kind: Permissions\nconnector: suport\n")
    done = home("validate", "draft.yaml")
    assert done.status == 3
    assert "Did you mean `support`?" in done.out
    path.write_text("kind: Group\nname: fresh\nmembers: {users: [ada@contoso.example]}\n")
    assert home("validate", "draft.yaml").status == 0
    assert "fresh" not in home("plan").out
