"""``reconciler drift``: what is applied, tested again and compared, against the servers of the sandbox."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

if TYPE_CHECKING:
    from tests.functional.conftest import Done, Home

SCHEMA = Path(__file__).parents[3] / "schemas" / "drift.schema.json"


def apply(home: Home) -> None:
    done = home("apply", "--auto-approve")
    assert done.status == 0, done.said


@pytest.fixture
def applied(live: Home) -> Home:
    """The example, tested and applied."""
    live.once(apply)
    return live


def document(done: Done) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done.out)
    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(found)
    return found


def kinds(done: Done) -> dict[str, list[str]]:
    return {
        item["connector"]: [found["kind"] for found in item["findings"]]
        for item in document(done)["connectors"]
    }


def edit_facts(home: Home, old: str, new: str) -> None:
    """Change the recorded results of the last tests."""
    with closing(sqlite3.connect(home.state)) as connection:
        done = connection.execute(
            "UPDATE tests SET facts = replace(facts, ?, ?) WHERE facts LIKE ?",
            (old, new, f"%{old}%"),
        )
        assert done.rowcount > 0
        connection.commit()


def test_nothing_has_drifted_right_after_an_apply(applied: Home) -> None:
    done = applied("drift")
    assert done.status == 0, done.said
    assert done.out == "No drift.\n\nTested 5: 5 passed. Connection test succeeded.\n"
    assert kinds(applied("drift", "--format", "json")) == {}


def test_the_applied_state_is_tested_whatever_the_files_say(applied: Home) -> None:
    shutil.rmtree(applied.config)
    assert applied("drift").status == 0


def test_a_newly_rejected_password_is_drift(applied: Home) -> None:
    right = applied.environ["PAYROLL_PASSWORD"]
    applied.environ["PAYROLL_PASSWORD"] = "changed by somebody"
    done = applied("drift")
    assert done.status == 4
    assert done.out.startswith("Drift: 1 of 5 connectors has changed.\n\npayroll  (last test 20")
    assert "- imap now fails at authentication (auth_rejected)" in done.out
    assert "changed by somebody" not in done.said

    again = applied("drift")
    assert again.status == 4, "it is still a no"
    assert again.out.startswith("No drift.\n\nFailing as before:\n")

    applied.environ["PAYROLL_PASSWORD"] = right
    recovered = applied("drift")
    assert recovered.status == 2
    assert "+ imap works again; it failed at authentication (auth_rejected)" in recovered.out
    assert applied("drift").status == 0


def test_a_server_that_is_down_is_unreachable_and_a_rejection_outweighs_it(
    applied: Home, closed_port: int
) -> None:
    applied.redirect("smtp.gmail.com", 465, closed_port)
    assert applied("drift", "--no-record").status == 9
    assert kinds(applied("drift", "--no-record", "--cert-days", "365", "--format", "json"))[
        "info"
    ] == ["certificate_expires", "fails"]
    assert applied("drift", "--no-record", "--cert-days", "365").status == 9
    applied.environ["PAYROLL_PASSWORD"] = "wrong"
    assert applied("drift", "--no-record").status == 4
    assert "ready" in applied("status", "info").out, "nothing was recorded"


def test_a_certificate_about_to_expire_is_reported_until_it_is_renewed(applied: Home) -> None:
    for _ in range(2):
        done = applied("drift", "info", "--cert-days", "365")
        assert done.status == 2
        assert done.out.count("has a certificate that expires in") == 2
    assert applied("drift", "info", "--cert-days", "0").status == 0


def test_a_changed_server_property_is_reported_once(applied: Home) -> None:
    edit_facts(applied, '"PLAIN"', '"PLAIN","SCRAM-SHA-256"')
    first = applied("drift", "payroll")
    assert first.status == 2
    assert "- imap no longer offers the sign-in mechanism SCRAM-SHA-256" in first.out
    assert "- smtp no longer offers the sign-in mechanism SCRAM-SHA-256" in first.out
    assert applied("drift", "payroll").status == 0, "it is recorded now"


def test_observations_outlive_a_server_that_was_down(applied: Home, closed_port: int) -> None:
    port = applied.local_port("smtp.gmail.com", 465)
    edit_facts(applied, '"PLAIN"', '"PLAIN","SCRAM-SHA-256"')
    applied.redirect("smtp.gmail.com", 465, closed_port)
    assert applied("drift", "info").status == 9
    applied.redirect("smtp.gmail.com", 465, port)
    done = applied("drift", "info", "--format", "json")
    assert (done.status, kinds(done)) == (2, {"info": ["recovered", "mechanism_gone"]})


def test_unreadable_facts_are_ignored(applied: Home) -> None:
    edit_facts(applied, '"mechanisms"', '"mechanics"')
    assert applied("drift").status == 0


def test_reports_say_the_same_whatever_the_outcome(applied: Home) -> None:
    applied.environ["PAYROLL_PASSWORD"] = "wrong"
    done = applied("drift", "--format", "markdown", "--report", "json=drift.json",
                   "--report", "markdown=drift.md")  # fmt: skip
    assert done.status == 4
    assert done.out == (applied.folder / "drift.md").read_text()
    assert "| payroll | imap | fails |" in done.out
    report = json.loads((applied.folder / "drift.json").read_text())
    assert (report["tested"], report["drifted"], report["rejected"]) == (5, 1, 1)
    assert report["connectors"][0]["failing"][0]["error_class"] == "auth_rejected"

    applied.state.write_bytes(b"this is no database" * 100)
    broken = applied("drift", "--report", "json=drift.json", "--report", "markdown=drift.md")
    assert broken.status == 1
    report = json.loads((applied.folder / "drift.json").read_text())
    assert "it is not a SQLite database" in report["error"]
    assert "CAUTION" in (applied.folder / "drift.md").read_text()


def test_before_the_first_apply_there_is_nothing_to_compare_with(live: Home) -> None:
    done = live("drift")
    assert done.status == 1
    assert "nothing was applied yet" in done.err
    assert not live.state.exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("newsletter",), "no stored connector matches newsletter"),
        (("--label", "no-such"), "no stored connector has the labels no-such"),
        (("--cert-days", "-1"), "Invalid value"),
    ],
)
def test_an_empty_selection_is_rejected(options: tuple[str, ...], says: str, applied: Home) -> None:
    done = applied("drift", *options)
    assert done.status == 64
    assert says in done.err


def test_invalid_settings_are_rejected(applied: Home) -> None:
    applied.write("../reconciler.yaml", "allowed_hosts: 7\n")
    assert applied("drift").status == 3


def test_shards_share_the_work_and_leave_nothing_out(applied: Home) -> None:
    applied("drift", "--shard", "1/1")
    counts = []
    for number in range(1, 11):
        done = applied("drift", "--shard", f"{number}/10", "--no-record", "--format", "json")
        assert done.status == 0, done.said
        counts.append(json.loads(done.out)["tested"])
    whole = json.loads(applied("drift", "--no-record", "--format", "json").out)["tested"]
    assert sum(counts) == whole > 1
    assert 0 in counts
    empty = f"{counts.index(0) + 1}/10"
    assert applied("drift", "--shard", empty).out == "No drift: there is no connector to test.\n"
    assert applied("drift", "--shard", "11/10").status == 64
