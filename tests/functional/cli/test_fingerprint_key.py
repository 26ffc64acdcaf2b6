"""The key file beside a SQLite state: made by the first apply that writes, and renewed fingerprints under another key."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from reconciler.state.key import generated
from tests.functional.terminal import QUESTION, terminal

if TYPE_CHECKING:
    from tests.functional.conftest import Home

SKIP = ("--skip-tests", "no servers here")
EVERY_SECRET = {
    "INFO_APP_PASSWORD": "info-1", "INVOICES_PASSWORD": "invoices-1", "NO_REPLY_PASSWORD": "no-reply-1",
    "PAYROLL_PASSWORD": "payroll-1", "PAYROLL_SMTP_PASSWORD": "payroll-2", "SUPPORT_CLIENT_SECRET": "support-1",
}  # fmt: skip


def key_ids(home: Home) -> set[str]:
    exported = json.loads(home("state", "export").out)
    return {mark["key_id"] for item in exported["resources"] for mark in item["fingerprints"]}


def test_an_apply_that_was_refused_makes_no_key(home: Home) -> None:
    key = home.state.with_name("fingerprint.key")
    assert home("apply", *SKIP).status == 5  # nobody to ask
    assert home("apply", "--auto-approve").status == 4  # a secret is missing
    assert not key.exists()
    with terminal(home, "apply", *SKIP) as shell:
        shell.read_until(QUESTION)
        shell.type("no\n")
        assert shell.wait() == 5
    assert not key.exists()
    home.apply_untested()
    assert key.exists()
    key.unlink()
    home.edit("info.yaml", "General enquiries", "Help desk")
    stranger = ("--actor", "stranger@contoso.example")
    assert home("apply", "--auto-approve", *SKIP, *stranger).status == 8
    assert not key.exists()


def test_an_apply_without_changes_renews_fingerprints_under_another_key(home: Home) -> None:
    home.environ |= EVERY_SECRET
    home.apply_untested()
    (first,) = key_ids(home)
    serial = json.loads(home("status", "--format", "json").out)["serial"]
    home.environ["RECONCILER_FINGERPRINT_KEY"] = generated()
    done = home.apply_untested()
    assert "No changes." in done.out
    (second,) = key_ids(home)
    assert second != first
    assert json.loads(home("status", "--format", "json").out)["serial"] == serial
    before = home("state", "export").out
    home.apply_untested()
    assert home("state", "export").out == before
    assert home("state", "check").status == 0
    home.environ["INFO_APP_PASSWORD"] = "info-2"
    assert "~ EmailConnector.info" in home("plan", "--check-secrets").out.replace("rotate", "~")


def test_fingerprints_that_are_missing_are_added(home: Home) -> None:
    home.apply_untested()
    assert key_ids(home) == set()
    home.environ |= EVERY_SECRET
    home.apply_untested()
    assert len(key_ids(home)) == 1
