"""What is kept of a test, and what can be read back of it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from reconciler.connection.failure import ErrorClass
from reconciler.connection.observed import Observed
from reconciler.model.protocol import Protocol
from reconciler.probe.drift import Known, facts, last_test
from reconciler.values import replace
from tests.builders import NOON, PASSED, result

if TYPE_CHECKING:
    from reconciler.model.resource import JSON
    from reconciler.probe.result import ConnectorResult

SEEN = Observed(
    tls_version="TLSv1.3",
    certificate_issuer="Ein Aussteller, größer",
    certificate_expires=NOON + timedelta(days=60),
    mechanisms=("PLAIN", "XOAUTH2"),
    capabilities=("IDLE",),
    size_limit=None,
)


def of(observed: Observed | None, error: ErrorClass | None) -> ConnectorResult:
    made = result("info", error)
    return replace(made, protocols=(replace(made.protocols[0], observed=observed),))


def test_findings_can_be_read_back() -> None:
    kept = last_test(of(SEEN, ErrorClass.AUTH_REJECTED))
    assert json.loads(json.dumps(kept.facts)) == kept.facts
    assert not kept.passed
    assert (kept.stage, kept.error_class) == ("imap authentication", "auth_rejected")
    assert facts(kept) == {Protocol.IMAP: Known("authentication: auth_rejected", SEEN)}
    assert facts(last_test(of(None, None))) == {Protocol.IMAP: Known("", None)}


def test_observations_are_kept_while_a_server_is_down() -> None:
    first = last_test(of(SEEN, None))
    second = last_test(of(None, ErrorClass.TIMEOUT), first)
    third = last_test(of(None, ErrorClass.TIMEOUT), second)
    assert facts(third) == {Protocol.IMAP: Known("authentication: timeout", SEEN)}


def test_a_shallow_test_does_not_clear_what_failed_before() -> None:
    first = last_test(of(SEEN, ErrorClass.AUTH_REJECTED))
    known = {Protocol.IMAP: Known("authentication: auth_rejected", SEEN)}
    assert facts(last_test(of(SEEN, None), first, shallow=True)) == known
    assert facts(last_test(of(SEEN, None), first)) == {Protocol.IMAP: Known("", SEEN)}


@pytest.mark.parametrize(
    "kept",
    [{}, {"imap": 1}, {"imap": {"failure": ""}}, {"pop3": {"failure": "", "observed": None}}],
)
def test_unreadable_facts_are_ignored(kept: dict[str, JSON]) -> None:
    assert facts(None) == {}
    assert facts(replace(PASSED, facts=kept)) == {}
