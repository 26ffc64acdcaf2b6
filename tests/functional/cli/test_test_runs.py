"""What ``reconciler test`` chooses to test, how, and what the state keeps of it."""

from __future__ import annotations

import json
import signal
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

if TYPE_CHECKING:
    from tests.functional.conftest import Done, Home

ALL = {"info", "invoices", "no-reply", "payroll", "support"}


def names_in(done: Done) -> set[str]:
    document: Any = json.loads(done.out)
    return {item["connector"] for item in document["connectors"]}


def statuses(home: Home) -> dict[str, str]:
    document: Any = json.loads(home("status", "--format", "json").out)
    return {item["name"]: item["status"] for item in document["connectors"]}


def apply(home: Home) -> None:
    done = home("apply", "--auto-approve")
    assert done.status == 0, done.said


@pytest.fixture
def applied(live: Home) -> Home:
    """The example, tested and applied."""
    live.once(apply)
    return live


def test_all_of_them_is_the_default(live: Home) -> None:
    assert names_in(live("test", "--format", "json")) == ALL
    assert names_in(live("test", "--all", "--format", "json")) == ALL


def test_changed_selects_what_an_apply_would_test(applied: Home) -> None:
    nothing = applied("test", "--changed")
    assert (nothing.status, nothing.out) == (
        0,
        "Nothing to test: no matching connector is new, changed or not ready.\n",
    )
    applied.edit("support.yaml", "Support mailbox ", "Help desk ")
    assert names_in(applied("test", "--changed", "--format", "json")) == set()
    applied.edit("support.yaml", "email_address: support@", "email_address: help@")
    applied.write("more.yaml", (applied.config / "info.yaml").read_text().replace(
        "name: info\n", "name: more\n").replace("connector: info\n", "connector: more\n"))  # fmt: skip
    planned = json.loads(applied("plan", "--format", "json").out)
    expected = {item["connector"] for item in planned["tests"]}
    assert expected == {"support", "more"}
    done = applied("test", "--changed", "--format", "json")
    assert names_in(done) == expected


def test_changed_sees_a_rotated_secret(live: Home) -> None:
    live.edit("support.yaml", "env:SUPPORT_CLIENT_SECRET", "file:secret")
    secret = live.folder / "secret"
    secret.write_text(live.environ["SUPPORT_CLIENT_SECRET"])
    secret.chmod(0o600)
    assert live("apply", "--auto-approve").status == 0
    secret.write_text("another one")
    done = live("test", "--changed", "--format", "json")
    assert (done.status, names_in(done)) == (4, {"support"})


def test_without_a_state_everything_has_changed_and_nothing_fails(live: Home) -> None:
    assert names_in(live("test", "--changed", "--format", "json")) == ALL
    assert live("test", "--failing").out == "Nothing to test: no matching connector is failing.\n"
    assert not live.state.exists()


def test_failing_selects_connectors_until_they_recover(applied: Home, closed_port: int) -> None:
    port = applied.local_port("smtp.gmail.com", 465)
    applied.redirect("smtp.gmail.com", 465, closed_port)
    assert applied("test").status == 9
    assert statuses(applied)["info"] == "failing"
    assert names_in(applied("test", "--failing", "--format", "json")) == {"info"}
    applied.redirect("smtp.gmail.com", 465, port)
    recovered = applied("test", "--failing")
    assert recovered.status == 0, recovered.said
    assert "Recorded 1 result in the state." in recovered.err
    assert statuses(applied)["info"] == "ready"
    assert applied("test", "--failing", "info").out.startswith("Nothing to test")


def test_no_record_leaves_the_state_alone(applied: Home, closed_port: int) -> None:
    applied.redirect("smtp.gmail.com", 465, closed_port)
    done = applied("test", "--no-record")
    assert done.status == 9
    assert "ecorded" not in done.said
    assert statuses(applied)["info"] == "ready"


def test_nothing_is_recorded_of_a_connector_that_is_stored_otherwise(applied: Home) -> None:
    applied.edit("info.yaml", "env:INFO_APP_PASSWORD", "env:INFO_NEW_PASSWORD")
    done = applied("test", INFO_NEW_PASSWORD="not the one")
    assert done.status == 4
    assert "Recorded 4 results in the state." in done.err
    assert "the state has another version of them: info." in done.err
    assert statuses(applied)["info"] == "ready"


def test_a_shallow_test_records_what_failed_but_no_pass(applied: Home, closed_port: int) -> None:
    applied.environ["SUPPORT_CLIENT_SECRET"] = "wrong"
    assert applied("test").status == 4
    done = applied("test", "--depth", "tls")
    assert done.status == 0
    assert "Recorded" not in done.err
    assert "proves too little" in done.err
    assert statuses(applied)["support"] == "failing", "nobody has signed in yet"
    applied.redirect("smtp.gmail.com", 465, closed_port)
    assert applied("test", "--depth", "tls").status == 9
    assert statuses(applied)["info"] == "failing"


def test_a_locked_state_is_reported_in_a_line_and_fails_no_test(applied: Home) -> None:
    with closing(sqlite3.connect(applied.state, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        done = applied("test", "support")
    assert done.status == 0, done.said
    assert done.err.count("The results were not recorded:") == 1
    assert "is locked" in done.err


def test_an_invalid_state_is_reported_in_a_line_and_fails_no_test(applied: Home) -> None:
    applied.state.write_bytes(b"this is no database" * 100)
    done = applied("test", "support")
    assert done.status == 0, done.said
    assert "The results were not recorded:" in done.err
    assert "it is not a SQLite database." in done.err
    asked = applied("test", "--failing")
    assert asked.status == 1, "whether it fails is what the state has to say"


def test_the_shards_of_a_run_are_the_run(live: Home) -> None:
    parts = [
        names_in(live("test", "--shard", f"{number}/3", "--depth", "dns", "--format", "json"))
        for number in (1, 2, 3)
    ]
    assert set().union(*parts) == ALL
    assert sum(len(part) for part in parts) == len(ALL)


def test_a_shard_may_be_empty(live: Home) -> None:
    done = next(
        done
        for number in range(1, 7)
        if "Nothing" in (done := live("test", "--shard", f"{number}/6", "--depth", "dns")).out
    )
    assert done.status == 0
    assert done.out.startswith("Nothing to test: no matching connector is in shard ")


@pytest.mark.parametrize("shard", ["0/3", "4/3", "3", "a/b", "1/0", "-1/3", "1/3/5"])
def test_an_invalid_shard_is_rejected(shard: str, home: Home) -> None:
    done = home("test", f"--shard={shard}")
    assert done.status == 64
    assert "expected K/N, such as 1/4" in done.err


@pytest.mark.parametrize(
    "options",
    [
        ("--all", "--changed"),
        ("--changed", "--failing"),
        ("--timeout", "0s"),
        ("--timeout", "2h"),
        ("--retries", "-1"),
        ("--retries", "21"),
        ("--concurrency", "0"),
        ("--per-host", "0"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: tuple[str, ...], home: Home) -> None:
    done = home("test", *options)
    assert done.status == 64
    assert "Error:" in done.err


def test_the_timeout_of_the_command_line_comes_before_the_one_of_the_file(
    live: Home, silent_port: int
) -> None:
    live.write("../reconciler.yaml", "testing: {timeout_seconds: 3600}\n")
    live.redirect("imap.gmail.com", 993, silent_port)
    done = live("test", "info", "--timeout", "1s", "--concurrency", "1", "--per-host", "1",
                "--retries", "0")  # fmt: skip
    assert done.status == 9
    assert "timeout" in done.out


def test_a_report_says_what_the_run_was_about(live: Home) -> None:
    done = live("test", "info", "supp*", "--label", "none", "--report", "json=r.json")
    assert done.status == 64
    report = json.loads((live.folder / "r.json").read_text())
    assert report["error"] == "no connector has the labels none"
    assert report["run"] is None

    assert live("test", "i*", "--depth", "dns", "--report", "json=r.json").status == 0
    report = json.loads((live.folder / "r.json").read_text())
    assert report["error"] is None
    assert report["run"]["selection"] == {
        "names": ["i*"], "labels": [], "which": "all", "depth": "dns",
    }  # fmt: skip
    assert report["run"]["shard"] is None
    assert report["run"]["not_run"] == []


def test_junit_goes_to_the_output_and_to_files(live: Home, closed_port: int) -> None:
    live.redirect("smtp.gmail.com", 465, closed_port)
    done = live("test", "info", "--format", "junit", "--report", "junit=reports/test.xml")
    assert done.status == 9
    for text in (done.out, (live.folder / "reports" / "test.xml").read_text()):
        root = ET.fromstring(text)
        assert [(item.tag, item.get("type")) for item in root.iter("error")] == [
            ("error", "refused")
        ]
        assert [case.get("name") for case in root.iter("testcase")] == [
            "imap imap.gmail.com:993", "smtp smtp.gmail.com:465",
        ]  # fmt: skip


def test_an_interrupted_run_reports_finished_and_missing_tests(
    live: Home, silent_port: int
) -> None:
    live.redirect("imap.gmail.com", 993, silent_port)
    process = live.start("test", "--timeout", "1m", "--report", "junit=r.xml", "--report",
                         "json=r.json")  # fmt: skip
    assert process.stdout is not None
    shown = 0
    while shown < 4:  # all but info
        line = process.stdout.readline()
        assert line, "it must not end by itself"
        shown += not line.startswith("      ") and "ok" in line and "imap" in line
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    report = json.loads((live.folder / "r.json").read_text())
    assert (report["error"], report["run"]["not_run"]) == ("interrupted", ["info"])
    root = ET.parse(live.folder / "r.xml").getroot()
    assert [case.get("message") for case in root.iter("error")] == ["interrupted"]


def test_the_reports_of_shards_are_joined_with_the_exit_code_of_the_whole(
    live: Home, closed_port: int
) -> None:
    live.redirect("smtp.gmail.com", 465, closed_port)
    for number in (1, 2, 3):
        live("test", "--shard", f"{number}/3", "--report", f"json=s{number}.json")
    files = ("s3.json", "s1.json", "s2.json")
    done = live("test", "merge", *files, "--report", "json=all.json", "--report", "junit=all.xml")
    assert done.status == 9
    assert "info" in done.out
    assert "support" not in done.out, "what passed is only counted"
    assert done.out.endswith("Tested 5: 4 passed, 1 unreachable.\n")
    merged = json.loads((live.folder / "all.json").read_text())
    assert {item["connector"] for item in merged["connectors"]} == ALL
    assert merged["run"]["shard"] is None
    assert len(list(ET.parse(live.folder / "all.xml").getroot().iter("testcase"))) == 9
    assert names_in(live("test", "merge", *files, "--format", "json")) == ALL

    missing = live("test", "merge", "s1.json", "s2.json", "--report", "json=none.json")
    assert missing.status == 1
    assert "Error: of 3 shards, 3 is missing\n" in missing.err
    none = json.loads((live.folder / "none.json").read_text())
    assert none["error"] == "of 3 shards, 3 is missing"
    assert none["connectors"] == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is not a test report: Invalid JSON"),
        ("{}", "is not a test report: passed: "),
        ('{"format_version": "9"}', "is not a test report: format_version: "),
        ("\0\0", "is not a test report: Invalid JSON"),
    ],
)
def test_a_file_that_is_not_a_report_is_rejected(text: str, says: str, bare: Home) -> None:
    (bare.folder / "s.json").write_text(text)
    done = bare("test", "merge", "s.json")
    assert done.status == 1
    assert says in done.err
    assert "Traceback" not in done.said
    missing = bare("test", "merge", "no.json")
    assert (missing.status, "no.json cannot be read" in missing.err) == (1, True)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--shard", "1/2", "s.json"), "--shard"),
        (("--failing", "s.json"), "--failing"),
        (("s.json", "--config", "x"), "--config"),
        ((), "Missing argument 'FILE...'"),
    ],
)
def test_a_merge_accepts_files_but_no_option_of_a_test(
    options: tuple[str, ...], says: str, bare: Home
) -> None:
    done = bare("test", "merge", *options)
    assert done.status == 64
    assert says in done.err.partition("Error: ")[2]


def test_the_help_of_a_test_lists_its_subcommand(bare: Home) -> None:
    text = bare("test", "--help").out
    assert "Usage: reconciler test [OPTIONS] [NAME]...\n" in text
    assert "Commands:\n  merge  Merge the JSON reports" in text
    assert "Usage: reconciler test merge [OPTIONS] FILE...\n" in bare("test", "merge", "-h").out


def test_a_report_with_an_invalid_time_is_rejected(live: Home) -> None:
    assert live("test", "--shard", "1/1", "--depth", "dns", "--report", "json=s.json").status == 0
    report = live.folder / "s.json"
    text = report.read_text()
    report.write_text(text.replace('"started_at": "', '"started_at": "x'))
    done = live("test", "merge", "s.json")
    assert (done.status, "is not a test report" in done.err) == (1, True)


def test_an_unknown_name_gets_a_hint(live: Home) -> None:
    assert "Did you mean `payroll`?" in live("test", "payrol").err
    assert "There are: info, invoices, no-reply, payroll, support." in live("test", "zzz").err
