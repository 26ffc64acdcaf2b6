"""Saved plans: applied as they were approved, or not at all."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.functional.conftest import Home

STALE = 6
SKIP = ("--skip-tests", "no servers here")


@pytest.fixture
def planned(home: Home) -> Home:
    """An applied example with a change, and a plan of it in ``plan.json``."""
    home.apply_untested()
    home.edit("support.yaml", "Support mailbox ", "Help desk ")
    done = home("plan", "--out", "plan.json")
    assert done.status == 0, done.said
    return home


def stale(home: Home, sentence: str) -> None:
    serial = json.loads(home("status", "--format", "json").out)["serial"]
    done = home("apply", "plan.json", *SKIP)
    assert done.status == STALE, done.said
    assert sentence in done.err
    assert "reconciler plan --out FILE" in done.err
    assert json.loads(home("status", "--format", "json").out)["serial"] == serial


def test_a_saved_plan_is_its_own_approval(planned: Home) -> None:
    assert (planned.folder / "plan.json").stat().st_mode & 0o777 == 0o600
    assert '~ display_name = "Support mailbox" -> "Help desk"' in planned("show", "plan.json").out
    done = planned("apply", "plan.json", *SKIP)
    assert done.status == 0, done.said
    assert "Help desk" in planned("show", "support").out
    stale(planned, "the stored state has moved on from serial 1 to 2")


def test_another_configuration_makes_it_stale(planned: Home) -> None:
    planned.edit("support.yaml", "Help desk ", "Help desk of mine ")
    stale(planned, "the configuration is another one")


def test_a_comment_does_not_make_it_stale(planned: Home) -> None:
    planned.edit("support.yaml", "# what people see it called", "# another comment")
    assert planned("apply", "plan.json", *SKIP).status == 0


def test_another_serial_makes_it_stale(planned: Home) -> None:
    text = (planned.config / "support.yaml").read_text()
    planned.edit("support.yaml", "Help desk ", "Support mailbox ")
    planned.edit("info.yaml", "General enquiries", "Enquiries")
    planned.apply_untested()
    planned.edit("info.yaml", "Enquiries", "General enquiries")
    planned.apply_untested()
    planned.write("support.yaml", text)
    stale(planned, "the stored state has moved on from serial 1 to 3")


def test_another_state_makes_it_stale(planned: Home) -> None:
    planned.state.unlink()
    for path in planned.state.parent.glob("state.db-*"):
        path.unlink()
    stale(planned, "its lineage differs")


def test_a_file_that_was_tampered_with_is_stale(planned: Home) -> None:
    path = planned.folder / "plan.json"
    path.write_text(path.read_text().replace("Help desk", "Desk help"))
    stale(planned, "plan.json was changed after it was written")
    assert planned("show", "plan.json").status == STALE


def test_a_tampered_file_with_a_digest_that_fits_is_stale_all_the_same(planned: Home) -> None:
    from reconciler.app.planfiles import read_plan_file
    from reconciler.plan.planfile import seal, to_text

    path = planned.folder / "plan.json"
    file = read_plan_file(path)
    path.write_text(to_text(seal(file.basis, file.allowed, file.plan)))
    assert planned("show", "plan.json").status == 0
    document = json.loads(path.read_text())
    document["plan"]["resource_changes"][0]["change"]["after"]["display_name"] = "Other"
    path.write_text(json.dumps(document))
    stale(planned, "was changed after it was written")


def test_a_rotated_secret_makes_it_stale(live: Home) -> None:
    live.environ["RECONCILER_FINGERPRINT_KEY"] = "0123456789abcdef0123456789abcdef"
    assert live("apply", "--auto-approve").status == 0
    live.edit("support.yaml", "Support mailbox ", "Help desk ")
    for options in ((), ("--check-secrets",)):
        assert live("plan", "--out", "plan.json", *options).status == 0
        done = live("apply", "plan.json", INFO_APP_PASSWORD="another")
        assert done.status == STALE
        assert "secret" in done.err
        assert "another" not in done.said.replace("another one", "")
    assert live("apply", "plan.json").status == 0


def test_overrides_of_the_plan_hold_for_its_apply(home: Home) -> None:
    home.apply_untested()
    home.edit("policy.yaml", "enabled: false", "enabled: true")
    assert home("plan", "--out", "refused.json").status == 0
    assert home("apply", "refused.json", *SKIP).status == 5
    assert home("plan", "--out", "plan.json", "--allow-policy-change").status == 0
    assert home("apply", "plan.json", *SKIP).status == 0


def test_overrides_beside_a_saved_plan_make_no_sense(planned: Home) -> None:
    for option in (
        ("--allow-deletes", "3"),
        ("--allow-updates", "3"),
        ("--allow-policy-change",),
        ("--allow-credential-redirect", "support"),
    ):
        done = planned("apply", "plan.json", *option, *SKIP)
        assert done.status == 64, option
        assert "plan" in done.err


@pytest.mark.parametrize("text", ["", "{}", "[1, 2]", "kind: Group", '{"format_version": "9.0"}'])
def test_what_is_no_plan_is_told_so(text: str, home: Home) -> None:
    (home.folder / "plan.json").write_text(text)
    for command in ("apply", "show"):
        done = home(command, "plan.json")
        assert done.status == 1
        assert "plan.json is no saved plan" in done.err


def test_a_plan_that_is_not_there_is_wrong_usage(home: Home) -> None:
    assert home("apply", "no-such.json").status == 64
    assert home("show", "no-such.json").status == 1


def test_a_plan_of_any_name_can_be_shown(planned: Home) -> None:
    (planned.folder / "plan.json").rename(planned.folder / "the.plan")
    assert "Help desk" in planned("show", "the.plan").out


def test_a_plan_that_cannot_be_saved_is_an_error(home: Home) -> None:
    done = home("plan", "--out", "no/such/folder/plan.json")
    assert done.status == 1
    assert "the plan could not be saved to no/such/folder/plan.json" in done.err
    assert not list(home.folder.glob("**/.plan-*"))
