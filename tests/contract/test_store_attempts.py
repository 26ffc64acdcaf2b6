"""What every store does with attempts to sign in, with where secrets went, and with settings."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from reconciler.errors import StateConflict
from reconciler.model.credential_use import CredentialUse, Destination
from reconciler.model.directory import Group
from reconciler.model.fingerprint import Fingerprint
from reconciler.model.secret_ref import SecretRef
from reconciler.model.setting import Setting
from reconciler.model.sign_in_attempt import AttemptFilter, AttemptOutcome, SignInAttempt
from reconciler.plan.changes import Create
from reconciler.state.base import Revision, StateStore
from reconciler.values import replace
from tests.whole_states import export_of, from_text, to_text

Apply = Callable[..., Revision]

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PASSWORD = SecretRef("env", "SUPPORT_PASSWORD")
HOST = Destination("imap.contoso.example", 993, "implicit", "support@contoso.example")
STARTED = SignInAttempt(
    id="01",
    at=NOON,
    actor="ada@contoso.example",
    actor_source="--actor",
    command="apply",
    connector="support",
    protocol="imap",
    reference=PASSWORD,
    identity=str(PASSWORD),
    destination=HOST,
)
LATER = replace(
    STARTED,
    id="02",
    at=NOON + timedelta(hours=1),
    command="test",
    connector="thief",
    destination=HOST._replace(host="imap.attacker.example"),
)
USE = CredentialUse(PASSWORD, str(PASSWORD), HOST, Fingerprint("k1", "ab" * 32))
SETTINGS = (Setting("allowed_hosts", "*.contoso.example", "the owner's rules"),)


@pytest.fixture
def audit(store: StateStore, apply: Apply) -> StateStore:
    """A state that holds both attempts, neither with an outcome."""
    apply(store, Create(Group(name="team")))
    store.record_attempts((STARTED, LATER))
    return store


def test_an_attempt_is_recorded_before_its_outcome(audit: StateStore) -> None:
    assert audit.attempts() == (LATER, STARTED)
    assert audit.attempts(limit=1) == (LATER,)
    assert audit.load().credential_uses == ()


def test_the_outcome_of_an_attempt_is_recorded_with_it(audit: StateStore) -> None:
    refused = replace(LATER, outcome=AttemptOutcome.FAILED, error_class="auth_rejected")
    audit.finish_attempts((refused,))
    assert audit.attempts() == (refused, STARTED)
    assert audit.load().credential_uses == ()


def test_where_a_sign_in_succeeded_is_remembered_once(audit: StateStore) -> None:
    signed_in = replace(STARTED, outcome=AttemptOutcome.SIGNED_IN)
    for _ in range(2):
        audit.finish_attempts((signed_in,))
    assert audit.load().credential_uses == (USE._replace(value=None),)


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        (AttemptFilter(), (LATER, STARTED)),
        (AttemptFilter(since=NOON + timedelta(microseconds=1)), (LATER,)),
        (AttemptFilter(connector="support"), (STARTED,)),
        (AttemptFilter(outcome=AttemptOutcome.STARTED), (LATER, STARTED)),
        (AttemptFilter(outcome=AttemptOutcome.FAILED), ()),
    ],
)
def test_attempts_are_chosen_by_age_connector_and_outcome(
    audit: StateStore, chosen: AttemptFilter, found: tuple[SignInAttempt, ...]
) -> None:
    assert audit.attempts(chosen) == found


def test_old_attempts_are_pruned_and_remembered_uses_stay(audit: StateStore) -> None:
    audit.finish_attempts((replace(STARTED, outcome=AttemptOutcome.SIGNED_IN),))
    assert audit.forget_attempts(NOON + timedelta(minutes=1)) == 1
    assert audit.attempts() == (LATER,)
    assert audit.load().credential_uses == (USE._replace(value=None),)


def test_the_first_apply_records_attempts_before_its_revision(store: StateStore) -> None:
    with store.lock(holder="ada", operation="apply"):
        store.record_attempts((STARTED,))
    assert [item.id for item in store.attempts()] == ["01"]


def test_without_a_state_nothing_is_recorded_or_created(store: StateStore) -> None:
    store.record_attempts((STARTED,))
    store.finish_attempts((STARTED,))
    assert store.attempts() == ()
    assert store.forget_attempts(NOON) == 0
    assert store.load().serial == 0


def test_a_commit_remembers_uses_and_settings(store: StateStore, apply: Apply) -> None:
    apply(store, Create(Group(name="team")), credential_uses=(USE, USE), settings=SETTINGS)
    apply(store, Create(Group(name="other")), credential_uses=(USE,))
    assert store.load().credential_uses == (USE,)
    assert store.load().settings == SETTINGS


def test_settings_are_recorded_without_a_revision_under_the_lock(
    store: StateStore, apply: Apply
) -> None:
    apply(store, Create(Group(name="team")))
    with store.lock(holder="ada", operation="apply") as lock:
        store.record_settings(SETTINGS, token=lock.lease.token)
    assert (store.load().settings, store.load().serial) == (SETTINGS, 1)
    with pytest.raises(StateConflict):
        store.record_settings((), token="stale")
    assert store.load().settings == SETTINGS


def test_attempts_uses_and_settings_move_with_the_state(
    place: object, audit: StateStore, apply: Apply
) -> None:
    apply(audit, Create(Group(name="other")), credential_uses=(USE,), settings=SETTINGS)
    before, attempts = audit.load(), audit.attempts()
    export = from_text(to_text(export_of(audit)))
    place.clear()  # type: ignore[attr-defined]
    other = place.open()  # type: ignore[attr-defined]
    with other.lock(holder="ada", operation="state import") as lock:
        other.restore(export, token=lock.lease.token)
    assert (other.load(), other.attempts()) == (before, attempts)
    assert export_of(other) == replace(export, digest="")
