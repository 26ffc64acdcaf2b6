"""What every store does with the audit of sending."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from reconciler.model.directory import Group
from reconciler.model.sending import FINAL, SendingFilter, SendingRecord, SendingResult
from reconciler.plan.changes import Create
from reconciler.state.base import Revision, StateStore
from reconciler.values import replace
from tests.whole_states import export_of, from_text, to_text

Apply = Callable[..., Revision]

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SENT = SendingRecord(
    id="5eed",
    at=NOON,
    actor="ada@contoso.example",
    actor_source="--as",
    connector="support",
    host="smtp.contoso.example",
    message_id="<1@contoso.example>",
    sender="поддержка@contoso.example",
    from_address="support@contoso.example",
    recipients=20,
    accepted=19,
    size=3 * 2**30,
    result=SendingResult.PARTLY,
    code=550,
    enhanced="5.1.1",
    sentence="One recipient is unknown.",
    copy="saved in Sent",
)
REFUSED = replace(
    SENT,
    id="0dd",
    at=NOON + timedelta(hours=1),
    actor="eve@fabrikam.example",
    connector="payroll",
    message_id="<2@contoso.example>",
    result=SendingResult.REFUSED,
    code=None,
)


@pytest.fixture
def audit(store: StateStore, apply: Apply) -> StateStore:
    """A state that holds both attempts, the later one first."""
    apply(store, Create(Group(name="team")))
    for record in (REFUSED, SENT):
        store.record_sent(record)
    return store


def test_an_attempt_comes_back_as_it_was_newest_first(audit: StateStore) -> None:
    assert audit.sent() == (REFUSED, SENT)
    assert audit.sent(limit=1) == (REFUSED,)


@pytest.mark.parametrize(
    ("desired", "found"),
    [
        ({"since": NOON}, (REFUSED, SENT)),
        ({"since": NOON + timedelta(microseconds=1)}, (REFUSED,)),
        ({"connector": "support"}, (SENT,)),
        ({"actor": "eve@fabrikam.example"}, (REFUSED,)),
        ({"message_id": "<1@contoso.example>"}, (SENT,)),
        ({"result": SendingResult.REFUSED}, (REFUSED,)),
        ({"result": SendingResult.REFUSED, "connector": "support"}, ()),
    ],
)
def test_a_filter_matches_only_if_all_fields_match(
    audit: StateStore, desired: dict[str, Any], found: tuple[SendingRecord, ...]
) -> None:
    assert audit.sent(SendingFilter(**desired)) == found


def test_a_final_record_replaces_the_earlier_one(audit: StateStore) -> None:
    unknown = replace(SENT, id="a77e", result=SendingResult.UNCERTAIN)
    audit.record_sent(unknown)
    assert unknown in audit.sent()
    ending = replace(SENT, id=f"a77e{FINAL}")
    audit.record_sent(ending)
    assert [item.id for item in audit.sent() if item.id.startswith("a77e")] == [ending.id]
    assert audit.sent(SendingFilter(result=SendingResult.UNCERTAIN)) == ()
    assert unknown not in export_of(audit).sent
    assert audit.forget_sent(NOON + timedelta(days=1)) == 3


def test_moments_of_attempts_come_back_in_utc(store: StateStore, apply: Apply) -> None:
    apply(store, Create(Group(name="team")))
    store.record_sent(replace(SENT, at=NOON.astimezone(timezone(timedelta(hours=5)))))
    (found,) = store.sent()
    assert found == SENT
    assert found.at.tzinfo is UTC


def test_an_attempt_is_recorded_while_an_apply_holds_the_lock(audit: StateStore) -> None:
    before = audit.load()
    with audit.lock(holder="alice", operation="apply"):
        audit.record_sent(replace(SENT, id="1"))
    assert len(audit.sent()) == 3
    assert audit.load() == before


def test_the_audit_outlives_deleted_resources(audit: StateStore, apply: Apply) -> None:
    assert apply(audit).serial == 2
    assert audit.sent() == (REFUSED, SENT)


def test_older_attempts_can_be_deleted(audit: StateStore) -> None:
    assert audit.forget_sent(NOON) == 0
    assert audit.forget_sent(NOON + timedelta(minutes=1)) == 1
    assert audit.sent() == (REFUSED,)


def test_nothing_is_recorded_before_the_first_apply(store: StateStore) -> None:
    store.record_sent(SENT)
    assert store.sent() == ()
    assert store.forget_sent(NOON) == 0


def test_the_audit_moves_with_the_state(store: StateStore, apply: Apply) -> None:
    apply(store, Create(Group(name="team")))
    store.record_sent(SENT)
    store.record_sent(replace(SENT, id="0", at=NOON - timedelta(days=1)))
    export = from_text(to_text(export_of(store)))
    assert [item.id for item in export.sent] == ["0", "5eed"]
    assert export.sent[1] == SENT
