"""``reconciler test --send-test-mail``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.functional.conftest import Home


def test_every_sending_connector_sends_one_and_reports_the_result(live: Home) -> None:
    done = live("test", "--send-test-mail")
    assert done.status == 0
    for name in ("info", "no-reply", "payroll", "support"):
        address = f"{name}@contoso.example"
        assert f"test mail sent to {address}, found in the inbox" in done.out
    assert done.out.count("test mail sent") == 4, "invoices is only read"


def test_the_report_has_a_stage_for_it(live: Home) -> None:
    report = json.loads(live("test", "support", "--send-test-mail", "--format", "json").out)
    imap, smtp = report["connectors"][0]["protocols"]
    assert [stage["stage"] for stage in imap["stages"]][-1] == "mailbox"
    assert smtp["stages"][-1]["stage"] == "delivery"
    assert smtp["stages"][-1]["outcome"] == "ok"
    assert report["run"]["selection"]["depth"] == "delivery"


def test_without_the_option_nothing_is_sent(live: Home) -> None:
    done = live("test", "support", "--format", "json")
    assert "delivery" not in done.out


@pytest.mark.parametrize("stage", ["tls", "envelope"])
def test_it_cannot_be_combined_with_a_depth(live: Home, stage: str) -> None:
    done = live("test", "support", "--send-test-mail", "--depth", stage)
    assert done.status == 64
    assert "cannot be combined with --depth" in done.err


def test_an_apply_sends_no_test_mail(live: Home) -> None:
    done = live("apply", "--auto-approve")
    assert done.status == 0
    assert "test mail" not in done.said
