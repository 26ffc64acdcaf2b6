"""What a live test and an apply report when accounts do not work, and their exit codes."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.functional.conftest import Done, Home

QUICK = "testing: {timeout_seconds: 1}\n"


def failures(done: Done) -> dict[str, str]:
    """The error class by connector and protocol."""
    document: Any = json.loads(done.out)
    return {
        f"{item['connector']} {account['protocol']}": stage["failure"]["error_class"]
        for item in document["connectors"]
        for account in item["protocols"]
        for stage in account["stages"]
        if stage["failure"]
    }


def nothing_was_applied(home: Home) -> None:
    assert "Nothing was applied yet" in home("status").out
    assert home("state", "lock").out == "The state is not locked.\n"


def test_a_wrong_password_is_a_rejection(live: Home) -> None:
    live.environ["INFO_APP_PASSWORD"] = "not the one"
    done = live("apply", "--auto-approve")
    assert done.status == 4
    assert "failed  imap imap.gmail.com:993" in done.err
    assert "at authentication: auth_rejected" in done.err
    assert "Tested 5: 4 passed, 1 rejected." in done.err
    assert "1 connector failed the live test: info" in done.err
    assert "not the one" not in done.said
    nothing_was_applied(live)
    tested = live("test", "--format", "json")
    assert tested.status == 4
    assert failures(tested) == {"info imap": "auth_rejected", "info smtp": "auth_rejected"}


def test_a_server_that_is_down_is_unreachable(live: Home, closed_port: int) -> None:
    live.redirect("smtp.gmail.com", 465, closed_port)
    done = live("apply", "--auto-approve")
    assert done.status == 9
    assert "at tcp: refused" in done.err
    assert "Tested 5: 4 passed, 1 unreachable." in done.err
    nothing_was_applied(live)
    assert live("test", "info").status == 9
    assert live("test", "support").status == 0


def test_a_rejection_outweighs_a_server_that_is_down(live: Home, closed_port: int) -> None:
    live.redirect("smtp.gmail.com", 465, closed_port)
    live.environ["SUPPORT_CLIENT_SECRET"] = "wrong"
    assert live("apply", "--auto-approve").status == 4
    assert live("test").status == 4


def test_a_server_that_never_answers_is_unreachable_when_its_time_is_up(
    live: Home, silent_port: int
) -> None:
    live.write("../reconciler.yaml", QUICK)
    live.redirect("outlook.office365.com", 993, silent_port)
    live.redirect("smtp.office365.com", 587, silent_port)
    before = time.monotonic()
    done = live("test", "support", "--format", "json")
    assert time.monotonic() - before < 15, "the deadline of a second was held, give or take"
    assert done.status == 9
    assert failures(done) == {"support imap": "timeout", "support smtp": "timeout"}


def test_a_certificate_for_another_name_is_a_rejection(live: Home) -> None:
    other = live.local_port("outlook.office365.com", 993)
    live.redirect("imap.gmail.com", 993, other)
    done = live("test", "info", "--format", "json")
    assert (done.status, failures(done)) == (4, {"info imap": "cert_hostname"})
    assert live("apply", "--auto-approve").status == 4
    nothing_was_applied(live)


def test_a_certificate_of_an_unknown_authority_is_a_rejection(live: Home) -> None:
    del live.environ["RECONCILER_CA_FILE"]
    done = live("test", "info", "payroll", "--format", "json")
    assert done.status == 4
    assert set(failures(done).values()) == {"cert_untrusted"}
    assert len(failures(done)) == 4


def test_the_wrong_tls_mode_is_reported(live: Home) -> None:
    live.redirect("smtp.office365.com", 587, live.local_port("smtp.gmail.com", 465))
    live.write("../reconciler.yaml", "testing: {timeout_seconds: 2}\n")
    done = live("test", "support", "--format", "json")
    assert done.status == 4
    assert failures(done) == {"support smtp": "tls_mode_mismatch"}


def test_a_missing_secret_is_a_rejection(live: Home) -> None:
    del live.environ["PAYROLL_SMTP_PASSWORD"]
    done = live("apply", "--auto-approve")
    assert done.status == 4
    assert "at secret: secret_missing" in done.err
    assert "PAYROLL_SMTP_PASSWORD" in done.err
    nothing_was_applied(live)


def test_keep_going_applies_what_passed_with_what_it_depends_on(live: Home) -> None:
    live.environ["INFO_APP_PASSWORD"] = "wrong"
    done = live("apply", "--auto-approve", "--keep-going")
    assert done.status == 4
    assert "Left out, because their test failed: info" in done.out
    stored = live("status").out
    assert "support" in stored
    assert "General enquiries" not in stored
    assert live("show", "Permissions.info").status == 1
    assert live("plan", "--detailed-exitcode").status == 2
    del live.environ["INFO_APP_PASSWORD"]
    assert live("apply", "--auto-approve", "--keep-going").status == 4


def test_keep_going_past_servers_that_are_down_says_unreachable(
    live: Home, closed_port: int
) -> None:
    live.redirect("smtp.gmail.com", 465, closed_port)
    done = live("apply", "--auto-approve", "--keep-going")
    assert "Left out, because their test failed: info" in done.out
    assert done.status == 9


def test_skipped_tests_are_recorded_with_their_reason(live: Home, closed_port: int) -> None:
    live.redirect("smtp.gmail.com", 465, closed_port)
    done = live("apply", "--auto-approve", "--skip-tests", "outage, ticket 4711")
    assert done.status == 0, done.said
    assert "Testing" not in done.said
    assert "Test 5 connectors live" not in done.out
    history = json.loads(live("history", "--format", "json").out)
    assert history["revisions"][0]["note"] == "tests skipped: outage, ticket 4711"
    assert "outage, ticket 4711" in live("history").out
    assert live("status", "--only", "untested").out.count("untested") == 5
    again = live("apply", "--auto-approve")
    assert again.status == 9, "what was never tested is tested with the next apply"
    assert live("status", "--only", "failing").out.count("failing at smtp tcp (refused)") == 1
    assert live("status", "--only", "ready").out.count("ready") == 4


@pytest.mark.parametrize("reason", ["", " "])
def test_skipped_tests_need_a_reason(reason: str, live: Home) -> None:
    done = live("apply", "--auto-approve", "--skip-tests", reason)
    assert done.status == 64
    nothing_was_applied(live)


def test_a_plan_can_be_tested_before_anybody_approves_it(live: Home, closed_port: int) -> None:
    assert live("plan", "--test").status == 0
    nothing_was_applied(live)
    live.redirect("smtp.gmail.com", 465, closed_port)
    assert live("plan", "--test", "--out", "plan.json").status == 9


def test_a_host_that_is_not_allowed_is_never_asked(live: Home) -> None:
    live.write("../reconciler.yaml", "allowed_hosts: ['*.contoso.example']\n")
    done = live("test")
    assert done.status == 3
    assert "[connector/host-not-allowed]" in done.err


@pytest.mark.parametrize(
    ("depth", "word"), [("dns", "to dns"), ("tls", "to tls"), ("authentication", "authentication")]
)
def test_the_depth_stops_earlier(depth: str, word: str, live: Home) -> None:
    done = live("test", "support", "--depth", depth)
    assert done.status == 0, done.said
    assert done.out.count(word) == 2


@pytest.mark.parametrize(
    "entry", ["imap.gmail.com", "imap.gmail.com:993=", "a:0=b:1", "a:1=b:70000"]
)
def test_an_invalid_redirection_is_rejected(entry: str, live: Home) -> None:
    done = live("test", "--connect-to", entry)
    assert done.status == 64
    assert "Error:" in done.err


def test_an_invalid_authority_file_is_rejected(live: Home) -> None:
    live.write("../ca.pem", "nothing of the kind")
    for name in ("ca.pem", "missing.pem"):
        done = live("test", "--ca-file", name)
        assert done.status == 64
        assert f"the CA file {name} cannot be used" in done.err


def test_reports_are_written_whatever_the_outcome(live: Home, closed_port: int) -> None:
    live.redirect("smtp.gmail.com", 465, closed_port)
    assert live("test", "--report", "json=reports/test.json").status == 9
    tested = json.loads((live.folder / "reports" / "test.json").read_text())
    assert (tested["passed"], tested["unreachable"]) == (4, 1)
    assert live("apply", "--auto-approve", "--report", "json=reports/apply.json").status == 9
    applied = json.loads((live.folder / "reports" / "apply.json").read_text())
    assert (applied["outcome"], applied["serial"]) == ("failed", None)
    assert applied["tests"]["unreachable"] == 1
    live("apply", "--auto-approve", "--report", "markdown=apply.md", "--skip-tests", "outage")
    assert "Applied as revision 1." in (live.folder / "apply.md").read_text()


def test_nothing_leaves_the_sandbox_for_a_server_that_it_does_not_play(live: Home) -> None:
    live.edit("payroll.yaml", "server: mail.contoso.example", "server: elsewhere.contoso.example")
    done = live("test", "payroll")
    assert done.status == 9, done.said
    assert "elsewhere.contoso.example:993 is not a server of the sandbox" in done.said
    led = f"imap.gmail.com:993=127.0.0.1:{live.local_port('imap.gmail.com', 993)}"
    done = live("test", "info", "--connect-to", led)
    assert done.status == 0, done.said
