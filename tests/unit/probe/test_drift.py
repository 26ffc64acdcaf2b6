"""What has changed since the last test."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from reconciler.connection.failure import ErrorClass
from reconciler.connection.observed import Observed
from reconciler.model.protocol import Protocol
from reconciler.model.snapshot import LastTest, Status
from reconciler.probe.drift import Checked, DriftFinding, Facts, FindingKind, Known, check
from reconciler.values import replace
from tests.builders import FAILED, NOON, PASSED, result

if TYPE_CHECKING:
    from reconciler.probe.result import ConnectorResult

SEEN = Observed(
    tls_version="TLSv1.3",
    certificate_issuer="An authority",
    certificate_expires=NOON + timedelta(days=60, hours=1),
    mechanisms=("PLAIN", "XOAUTH2"),
    capabilities=("IDLE", "NAMESPACE"),
    size_limit=1000,
)

REFUSED: Facts = {Protocol.IMAP: Known("authentication: auth_rejected", SEEN)}


def outcome(error: ErrorClass | None = None, observed: Observed | None = SEEN) -> ConnectorResult:
    made = result("info", error)
    return replace(made, protocols=(replace(made.protocols[0], observed=observed),))


def compare(
    now: ConnectorResult,
    last: LastTest | None = PASSED,
    facts: Facts | None = None,
    cert_days: int = 21,
) -> Checked:
    known = {Protocol.IMAP: Known("", SEEN)} if facts is None else facts
    return check(now, last, known, now=NOON, cert_days=cert_days)


def kinds(checked: Checked) -> list[FindingKind]:
    return [found.kind for found in checked.findings]


def test_an_unchanged_connector_has_not_drifted() -> None:
    checked = compare(outcome())
    assert checked.findings == ()
    assert not checked.remarkable
    assert (checked.before, checked.tested) == (Status.READY, NOON)


def test_a_sign_in_that_is_refused_now() -> None:
    checked = compare(outcome(ErrorClass.AUTH_REJECTED))
    assert checked.findings == (
        DriftFinding(
            kind=FindingKind.FAILS,
            protocol=Protocol.IMAP,
            summary="now fails at authentication (auth_rejected)",
            after="authentication: auth_rejected",
        ),
    )


def test_an_account_that_fails_as_before_is_listed_but_has_not_changed() -> None:
    checked = compare(outcome(ErrorClass.AUTH_REJECTED), FAILED, REFUSED)
    assert checked.findings == ()
    assert checked.remarkable
    assert checked.before is Status.FAILING


def test_an_account_that_fails_in_another_way_has_changed() -> None:
    checked = compare(outcome(ErrorClass.MAILBOX_NOT_CONNECTED), FAILED, REFUSED)
    assert kinds(checked) == [FindingKind.FAILS_OTHERWISE]
    assert checked.findings[0].before == "authentication: auth_rejected"


def test_an_account_that_works_again_has_recovered() -> None:
    checked = compare(outcome(), FAILED, REFUSED)
    assert kinds(checked) == [FindingKind.RECOVERED]
    assert checked.findings[0].summary == (
        "works again; it failed at authentication (auth_rejected)"
    )


def test_an_account_that_was_never_tested_drifts_only_if_it_fails() -> None:
    assert compare(outcome(), None, {}).findings == ()
    assert kinds(compare(outcome(ErrorClass.TIMEOUT), None, {})) == [FindingKind.FAILS]
    assert compare(outcome(), None, {}).before is Status.UNTESTED


@pytest.mark.parametrize(
    ("days", "said"),
    [(61, "in 60 days"), (100, "in 60 days"), (60, ""), (0, "")],
)
def test_a_certificate_that_expires_before_the_threshold(days: int, said: str) -> None:
    findings = compare(outcome(), cert_days=days).findings
    assert [said in found.summary for found in findings] == ([True] if said else [])


def test_a_certificate_about_to_expire_is_reported_every_time() -> None:
    soon = replace(SEEN, certificate_expires=NOON + timedelta(days=1, hours=1))
    checked = compare(outcome(observed=soon), facts={Protocol.IMAP: Known("", soon)})
    assert [found.summary for found in checked.findings] == [
        "has a certificate that expires in 1 day, on 2026-03-02"
    ]


def test_a_renewed_certificate_is_not_drift() -> None:
    later = replace(SEEN, certificate_expires=NOON + timedelta(days=150))
    assert compare(outcome(observed=later)).findings == ()


@pytest.mark.parametrize(
    ("fields", "kind", "before", "after"),
    [
        ({"mechanisms": ("PLAIN",)}, FindingKind.MECHANISM_GONE, "XOAUTH2", ""),
        ({"mechanisms": ("LOGIN", "PLAIN", "XOAUTH2")}, FindingKind.MECHANISM_NEW, "", "LOGIN"),
        ({"capabilities": ("IDLE",)}, FindingKind.CAPABILITY_GONE, "NAMESPACE", ""),
        ({"size_limit": 10}, FindingKind.SIZE_LIMIT_CHANGED, "1000 octets", "10 octets"),
        ({"size_limit": None}, FindingKind.SIZE_LIMIT_CHANGED, "1000 octets", "any size"),
        ({"tls_version": "TLSv1.2"}, FindingKind.TLS_CHANGED, "TLSv1.3", "TLSv1.2"),
        ({"certificate_issuer": "Another"}, FindingKind.ISSUER_CHANGED, "An authority", "Another"),
    ],
)
def test_what_a_server_shows_otherwise(
    fields: dict[str, object], kind: FindingKind, before: str, after: str
) -> None:
    shown = replace(SEEN, **fields)  # type: ignore[arg-type]
    (found,) = compare(outcome(observed=shown)).findings
    assert (found.kind, found.before, found.after) == (kind, before, after)


def test_a_new_capability_is_not_drift() -> None:
    more = replace(SEEN, capabilities=(*SEEN.capabilities, "MOVE"))
    assert compare(outcome(observed=more)).findings == ()


def test_properties_that_were_not_observed_are_not_compared() -> None:
    assert compare(outcome(observed=None)).findings == ()
    assert compare(outcome(), facts={}).findings == ()
    early = replace(SEEN, mechanisms=(), capabilities=(), size_limit=None)
    assert compare(outcome(observed=early)).findings == ()
    assert compare(outcome(), facts={Protocol.IMAP: Known("", early)}).findings == ()


def test_the_other_account_that_fails_too_is_a_change_of_its_own() -> None:
    first = outcome(ErrorClass.AUTH_REJECTED)
    second = replace(first.protocols[0], protocol=Protocol.SMTP)
    both = replace(first, protocols=(*first.protocols, second))
    checked = compare(both, FAILED, {**REFUSED, Protocol.SMTP: Known("", SEEN)})
    assert [(found.kind, found.protocol) for found in checked.findings] == [
        (FindingKind.FAILS, Protocol.SMTP)
    ]


def test_a_test_of_an_older_release_is_compared_by_its_first_failure() -> None:
    assert compare(outcome(ErrorClass.AUTH_REJECTED), FAILED, {}).findings == ()
    assert kinds(compare(outcome(), FAILED, {})) == [FindingKind.RECOVERED]


def test_since_when_it_fails() -> None:
    began = NOON - timedelta(days=3)
    failed, refused = replace(FAILED, failing_since=began), outcome(ErrorClass.AUTH_REJECTED)
    assert compare(refused, failed, REFUSED).failing_since == began
    assert compare(refused).failing_since == NOON
    assert compare(outcome(), failed, REFUSED).failing_since is None
