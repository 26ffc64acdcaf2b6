"""The command line from end to end: files, live tests against Dovecot and Postfix, stored state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.servers.accounts import PAYROLL_RELAY, SUPPORT
from tests.servers.site import DOWN, IMAP
from tests.servers.workplace import PAYROLL_DOCUMENT, SUPPORT_DOCUMENT

if TYPE_CHECKING:
    from tests.servers.dovecot import Dovecot
    from tests.servers.workplace import Workplace

pytestmark = pytest.mark.server

RELAY_LOCKED_OUT: Final = {PAYROLL_RELAY.variable: "not the password of the relay"}


def test_from_files_to_an_applied_state_and_no_further(workplace: Workplace) -> None:
    workplace.write(SUPPORT_DOCUMENT, PAYROLL_DOCUMENT)
    assert workplace("validate").status == 0

    planned = workplace("plan", "--detailed-exitcode")
    assert planned.status == 2, planned.said
    assert "Plan: 2 to add, 0 to change, 0 to destroy." in planned.said

    applied = workplace.start("apply", "--auto-approve")
    assert applied.status == 0, applied.said
    assert "Apply complete!" in applied.said
    assert workplace.status == {"payroll": "ready", "support": "ready"}

    again = workplace.start("apply", "--auto-approve")
    assert again.status == 0, again.said
    assert "No changes." in again.said
    assert workplace("plan", "--detailed-exitcode").status == 0


def test_a_wrong_password_applies_nothing_and_is_tried_once(
    workplace: Workplace, dovecot: Dovecot
) -> None:
    workplace.write(PAYROLL_DOCUMENT, SUPPORT_DOCUMENT)
    before = dovecot.failed_logins(PAYROLL_RELAY.username)
    refused = workplace("apply", "--auto-approve", **RELAY_LOCKED_OUT)
    assert refused.status == 4, refused.said
    assert "auth_rejected" in refused.said
    assert dovecot.failed_logins(PAYROLL_RELAY.username) == before + 1
    assert workplace.status == {}


def test_keep_going_applies_what_passed_without_what_failed(workplace: Workplace) -> None:
    workplace.write(SUPPORT_DOCUMENT, PAYROLL_DOCUMENT)
    partly = workplace("apply", "--auto-approve", "--keep-going", **RELAY_LOCKED_OUT)
    assert partly.status == 4, partly.said
    assert workplace.status == {"support": "ready"}


def test_a_secret_rotated_to_a_wrong_value_is_not_applied(workplace: Workplace) -> None:
    workplace.write(SUPPORT_DOCUMENT)
    assert workplace("apply", "--auto-approve").status == 0
    rotated = {SUPPORT.variable: "mistyped when it was rotated"}
    refused = workplace("apply", "--auto-approve", **rotated)
    assert refused.status == 4, refused.said
    assert "No changes." in workplace("apply", "--auto-approve").said


def test_a_server_that_is_down_is_distinguished_from_one_that_refuses(workplace: Workplace) -> None:
    workplace.write(SUPPORT_DOCUMENT)
    assert workplace("apply", "--auto-approve").status == 0
    workplace.write(SUPPORT_DOCUMENT, PAYROLL_DOCUMENT.replace(IMAP, DOWN))
    unreachable = workplace("apply", "--auto-approve")
    assert unreachable.status == 9, unreachable.said
    assert workplace.status == {"support": "ready"}
    assert workplace("test", "payroll").status == 9
    assert workplace("test", "support").status == 0
