"""Saved plans: applied as they were approved, or not at all."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.state.key import generated
from tests.builders import FINGERPRINT_KEY

if TYPE_CHECKING:
    from tests.functional.conftest import Home

ROOT = Path(__file__).parents[3]
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


def test_a_saved_plan_shows_everything_that_an_approver_needs(policy: Home) -> None:
    policy.edit("groups.yaml", "finance-lead@contoso.example", "linus@contoso.example")
    policy.edit("info.yaml", "provider: gmail", "provider: fastmail")
    del policy.environ["RECONCILER_ALLOW_CREDENTIAL"]
    planned = policy("plan", "--out", "plan.json", "--allow-policy-change").out
    assert "or pass --allow-credential env:INFO_APP_PASSWORD=imap.fastmail.com" in planned
    shown = policy("show", "plan.json").out
    for title in (
        "Who sends as whom after this apply (3 senders rerouted):",
        "Rights that would change:",
        "Secrets that would go somewhere new:",
    ):
        assert title in planned
        assert title in shown
    section = planned[planned.index("Who sends as whom") : planned.index("An apply will:")]
    assert section in shown
    assert re.search(
        r"An apply will test \d connectors live:\n  no-reply  the global policy", shown
    )
    assert "An apply would be refused" not in shown, "the seal approves where the secret goes"
    assert policy("apply", "plan.json", *SKIP).status == 0


def test_another_configuration_makes_it_stale(planned: Home) -> None:
    planned.edit("support.yaml", "Help desk ", "Help desk of mine ")
    stale(
        planned,
        "the configuration changed (it would change EmailConnector.support differently)",
    )


def test_a_comment_does_not_make_it_stale(planned: Home) -> None:
    planned.edit("support.yaml", "# leave users out", "# another comment")
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
    from reconciler.app.saved_plan import read_plan_file
    from reconciler.plan.planfile import make_file, to_text

    path = planned.folder / "plan.json"
    file = read_plan_file(path)
    path.write_text(to_text(make_file(file.basis, file.allowed, file.plan)))
    assert planned("show", "plan.json").status == 0
    document = json.loads(path.read_text())
    document["plan"]["resource_changes"][0]["change"]["after"]["display_name"] = "Other"
    path.write_text(json.dumps(document))
    stale(planned, "was changed after it was written")


def test_a_rotated_secret_makes_it_stale(live: Home) -> None:
    live.environ["RECONCILER_FINGERPRINT_KEY"] = FINGERPRINT_KEY
    assert live("apply", "--auto-approve").status == 0
    live.edit("support.yaml", "Support mailbox ", "Help desk ")
    for options in ((), ("--check-secrets",)):
        assert live("plan", "--out", "plan.json", *options).status == 0
        done = live("apply", "plan.json", INFO_APP_PASSWORD="another")
        assert done.status == STALE
        assert "env:INFO_APP_PASSWORD" in done.err
        assert "env:SUPPORT" not in done.err
        assert "another" not in done.said
    assert live("apply", "plan.json").status == 0


KEY = {"RECONCILER_FINGERPRINT_KEY": FINGERPRINT_KEY}


@pytest.fixture
def policy(home: Home) -> Home:
    """An applied example in whose files the global policy is then switched on."""
    home.apply_untested()
    home.edit("policy.yaml", "enabled: false", "enabled: true")
    return home


def forged(path: Path, **allowed: object) -> None:
    """Allow more in a saved plan, and recompute its digest."""
    from reconciler.model.resource import digest

    document = json.loads(path.read_text())
    document["overrides"] |= allowed
    path.write_text(
        json.dumps(document | {"digest": digest({**document, "digest": "", "seal": None})})
    )


def test_overrides_of_a_sealed_plan_hold_for_its_apply(policy: Home) -> None:
    assert policy("plan", "--out", "refused.json").status == 0
    assert policy("apply", "refused.json", *SKIP).status == 5
    assert policy("plan", "--out", "plan.json", "--allow-policy-change").status == 0
    assert "\nSaved with --allow-policy-change.\n" in policy("show", "plan.json").out
    assert policy("apply", "plan.json", *SKIP).status == 0


def test_overrides_of_a_plan_that_nothing_vouches_for_are_given_again(policy: Home) -> None:
    for left, applied in (
        (KEY, {}),
        ({}, KEY),
        (KEY, KEY | {next(iter(KEY)): generated()}),
    ):
        assert policy("plan", "--out", "plan.json", "--allow-policy-change", **left).status == 0
        done = policy("apply", "plan.json", *SKIP, **applied)
        assert done.status == 5, done.said
        assert "the plan was saved with --allow-policy-change, but has no valid seal" in done.err
        assert "pass the same options to the apply: --allow-policy-change" in done.err
        assert "Plan: 0 to add, 1 to change" in done.out
    done = policy("apply", "plan.json", "--allow-policy-change", *SKIP)
    assert done.status == 0, done.said


def test_adding_overrides_to_a_sealed_plan_breaks_the_seal(policy: Home) -> None:
    path = policy.folder / "plan.json"
    for more in ({"policy_change": True}, {"deletes": 3}):
        assert policy("plan", "--out", "plan.json").status == 0
        forged(path, **more)
        done = policy("apply", "plan.json", *SKIP)
        assert done.status in (STALE, 5), done.said
        assert "Apply complete" not in done.out
    assert policy("plan", "--out", "plan.json", "--allow-policy-change").status == 0
    forged(path, deletes=3)
    stale(policy, "the saved plan was changed after it was written")
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document | {"seal": None}))
    done = policy("apply", "plan.json", *SKIP)
    assert done.status == 5, done.said
    assert "--allow-deletes 3 --allow-policy-change" in done.err


def test_overrides_that_differ_from_the_saved_plan_are_refused(policy: Home) -> None:
    assert policy("plan", "--out", "plan.json", "--allow-policy-change").status == 0
    for option in (
        ("--allow-deletes", "3"),
        ("--allow-updates", "3"),
        ("--allow-policy-change", "--allow-credential", "env:*"),
    ):
        done = policy("apply", "plan.json", *option, *SKIP)
        assert done.status == 5, option
        assert (
            "the plan was saved with --allow-policy-change, but different options were given"
            in done.err
        )
    done = policy("apply", "plan.json", "--allow-policy-change", *SKIP)
    assert done.status == 0, done.said


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[1, 2]",
        b"null",
        b"kind: Group",
        b'{"format_version": "1.0"}',
        b'{"format_version": 1, "digest": ""}',
        b"SQLite format 3\x00",
        b"[" * 100_000,
    ],
    ids=range(9),
)
def test_text_that_is_not_a_plan_is_rejected(data: bytes, home: Home) -> None:
    (home.folder / "plan.json").write_bytes(data)
    for command in ("apply", "show"):
        done = home(command, "plan.json")
        assert done.status == 1
        assert "plan.json is not a saved plan" in done.err


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\x00\xff\xfe\x80" * 100, "is not UTF-8"),
        (b'{"format_version": "1.0", "digest": "", "x": "\\ud800"}', "half of a character"),
        (b'{"format_version": "1.0", "digest": ' + b"9" * 10_000 + b"}", "more than 64 bits"),
    ],
    ids=("bytes", "surrogate", "number"),
)
def test_bytes_that_are_not_text_are_rejected_as_such(data: bytes, said: str, home: Home) -> None:
    (home.folder / "plan.json").write_bytes(data)
    for command in ("apply", "show"):
        done = home(command, "plan.json")
        assert done.status == 64
        assert said in done.err


@pytest.mark.parametrize("kept", [1, 1000, -2])
def test_a_truncated_plan_is_rejected(kept: int, planned: Home) -> None:
    path = planned.folder / "plan.json"
    path.write_bytes(path.read_bytes()[:kept])
    for command in ("apply", "show"):
        done = planned(command, "plan.json")
        assert done.status == 1
        assert "plan.json is not a saved plan" in done.err


def test_a_huge_file_is_not_even_read(home: Home) -> None:
    with (home.folder / "plan.json").open("wb") as file:
        file.truncate(1 << 40)
    for command in ("apply", "show"):
        done = home(command, "plan.json")
        assert done.status == 1
        assert "plan.json is too large to be a saved plan" in done.err


def test_a_pipe_is_not_waited_for(home: Home) -> None:
    os.mkfifo(home.folder / "plan.json")
    for command in ("apply", "show"):
        done = home(command, "plan.json")
        assert done.status == 1
        assert "plan.json is not a regular file" in done.err


def test_a_folder_is_not_a_plan(home: Home) -> None:
    (home.folder / "plan.json").mkdir()
    assert home("apply", "plan.json").status == 64
    assert home("plan", "--out", "plan.json").status == 64
    done = home("show", "plan.json")
    assert done.status == 1
    assert "plan.json is not a regular file" in done.err


def test_a_link_is_followed_to_read_and_never_to_write(planned: Home) -> None:
    link = planned.folder / "link.json"
    link.symlink_to("plan.json")
    assert "Help desk" in planned("show", "link.json").out
    before = (planned.folder / "plan.json").read_bytes()
    done = planned("plan", "--out", "link.json")
    assert (done.status, "link.json is a link" in done.err) == (1, True)
    assert (planned.folder / "plan.json").read_bytes() == before
    assert planned("apply", "link.json", *SKIP).status == 0
    link.unlink()
    link.symlink_to("nowhere.json")
    assert planned("apply", "link.json").status == 64
    assert planned("show", "link.json").status == 1


def test_a_plan_of_another_format_or_release_is_stale(planned: Home) -> None:
    from reconciler.model.resource import digest

    path = planned.folder / "plan.json"
    document = json.loads(path.read_text())
    for changed, sentence in (
        ({"format_version": "2.0"}, "is a saved plan of format 2.0, and this release reads 1.0"),
        (
            {"basis": document["basis"] | {"tool_version": "9.9"}},
            "made by release 9.9, and this is",
        ),
    ):
        other = {**document, **changed, "digest": "", "seal": None}
        path.write_text(json.dumps(other | {"digest": digest(other)}))
        done = planned("apply", "plan.json", *SKIP)
        assert done.status == STALE, done.said
        assert sentence in done.err


def test_a_plan_is_what_its_schema_says(live: Home) -> None:
    import jsonschema

    live("plan", "--out", "plan.json", "--check-secrets")
    live("plan", "--out", "without.json")
    schema = json.loads((ROOT / "schemas" / "plan-file.schema.json").read_text())
    for name in ("plan.json", "without.json"):
        document = json.loads((live.folder / name).read_text())
        jsonschema.Draft202012Validator(schema).validate(document)
    assert json.loads(live("show", "plan.json", "--format", "json").out)["basis"]


def test_a_missing_plan_is_a_usage_error(home: Home) -> None:
    assert home("apply", "no-such.json").status == 64
    assert home("show", "no-such.json").status == 1


def test_a_plan_of_any_name_can_be_shown(planned: Home) -> None:
    for name in ("the.plan", "tfplan"):
        shutil.copy(planned.folder / "plan.json", planned.folder / name)
        assert "Help desk" in planned("show", name).out


def test_a_special_file_is_written_to_and_not_replaced(planned: Home) -> None:
    assert planned("plan", "--out", "/dev/null").status == 0
    assert Path("/dev/null").is_char_device()
    done = planned("plan", "--out", "/dev/full")
    assert done.status == 1
    assert "the plan could not be saved to /dev/full: the device is full" in done.err
    assert Path("/dev/full").is_char_device()


def test_a_plan_that_cannot_be_saved_is_an_error(home: Home) -> None:
    done = home("plan", "--out", "no/such/folder/plan.json")
    assert done.status == 1
    assert "the plan could not be saved to no/such/folder/plan.json" in done.err
    assert not list(home.folder.glob("**/.plan*"))
