"""What holds for every plan, whatever is stored and whatever is desired."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.address import Kind
from reconciler.model.connector import Connector
from reconciler.model.credential_use import CredentialUse
from reconciler.model.fingerprint import Fingerprint
from reconciler.model.resource import digest, to_plain
from reconciler.model.snapshot import Snapshot, StoredState
from reconciler.plan.changes import Change, Create, Delete, Forget, Rename, RotateSecret, Update
from reconciler.plan.credentials import new_uses, uses
from reconciler.plan.digest import plan_digest
from reconciler.plan.document import to_document
from reconciler.plan.inputs import Desired
from reconciler.plan.keep_going import without
from reconciler.plan.planner import plan
from reconciler.routing.table import effective_routes
from reconciler.state.base import Commit
from reconciler.values import replace
from tests.memory_store import MemoryStore
from tests.strategies import NOON, REFERENCES, carried_out, situations, states, unresolved

if TYPE_CHECKING:
    from random import Random

Situation = tuple[StoredState, Desired]


def commit(store: MemoryStore, desired: Desired) -> None:
    current = store.load()
    made = plan(desired, current)
    known = dict(desired.fingerprints)
    with store.lock(holder="ada", operation="apply", wait=timedelta()) as lock:
        store.commit(
            Commit(
                expected_lineage=made.lineage,
                expected_serial=made.serial,
                changes=made.changes,
                at=NOON,
                actor="ada",
                actor_source="test",
                git_commit="",
                tool_version="0",
                plan_digest=plan_digest(made),
                fingerprints=tuple(
                    (item.name, tuple((ref, known[ref]) for ref in item.references if ref in known))
                    for item in desired.snapshot.connectors
                ),
            ),
            token=lock.lease.token,
        )


@given(situations())
def test_routes_are_those_of_the_two_snapshots_even_where_they_are_shared(
    situation: Situation,
) -> None:
    current, desired = situation
    made = plan(desired, current)
    assert made.routes_before == effective_routes(current.snapshot)
    assert made.routes_after == effective_routes(desired.snapshot)


@given(states(), st.text(max_size=9))
def test_a_name_for_people_changes_no_route(current: StoredState, text: str) -> None:
    renamed = tuple(
        replace(item, display_name=text) if isinstance(item, Connector) else item
        for item in current.snapshot.resources
    )
    made = plan(Desired(Snapshot.of(renamed)), current)
    assert made.routes_after is made.routes_before
    assert made.routes_after == effective_routes(Snapshot.of(renamed))


@given(situations())
def test_the_digest_of_a_plan_is_that_of_its_document(situation: Situation) -> None:
    current, desired = situation
    made = plan(desired, current)
    document = replace(to_document(made), groups=())
    assert plan_digest(made) == digest(to_plain(document, nulls=True))


@given(situations())
def test_applying_a_plan_gives_what_was_desired(situation: Situation) -> None:
    current, desired = situation
    after = carried_out(current, plan(desired, current).changes, desired)
    assert after.snapshot == desired.snapshot


@given(situations())
def test_a_plan_after_its_apply_is_empty(situation: Situation) -> None:
    current, desired = situation
    after = carried_out(current, plan(desired, current).changes, desired)
    again = plan(desired, after)
    assert again.changes == ()
    assert again.new_credentials == ()
    assert again.impact.access == ()
    assert again.impact.rerouted == ()
    assert again.violations == ()
    assert again.routes_before == again.routes_after == plan(desired, current).routes_after


@given(states())
def test_planning_the_stored_snapshot_changes_nothing(current: StoredState) -> None:
    made = plan(Desired(current.snapshot), current)
    assert made.empty
    assert made.violations == ()


@given(states(), st.data())
def test_a_real_store_ends_at_the_desired_snapshot_too(
    current: StoredState, data: st.DataObject
) -> None:
    store = MemoryStore(clock=lambda: NOON)
    marks = {ref: mark for item in current.resources for ref, mark in item.fingerprints}
    commit(store, Desired(current.snapshot, (), tuple(marks.items())))
    _, desired = data.draw(situations())
    commit(store, desired)
    assert store.load().snapshot == desired.snapshot
    assert plan(desired, store.load()).empty


@given(situations())
def test_dependencies_are_created_first_and_deleted_last(situation: Situation) -> None:
    current, desired = situation
    changes = plan(desired, current).changes
    ranks = {kind: rank for rank, kind in enumerate(Kind)}
    kept = [item for item in changes if not isinstance(item, Delete)]
    gone = [item for item in changes if isinstance(item, Delete)]
    assert changes == (*kept, *gone)
    assert [ranks[item.address.kind] for item in kept] == sorted(
        ranks[item.address.kind] for item in kept
    )
    assert [ranks[item.address.kind] for item in gone] == sorted(
        (ranks[item.address.kind] for item in gone), reverse=True
    )
    for first, second in itertools.pairwise(kept):
        if isinstance(first, RotateSecret):
            assert not (isinstance(second, Update) and second.address == first.address)


@given(situations())
def test_every_resource_changes_at_most_once_besides_its_rotation(situation: Situation) -> None:
    current, desired = situation
    changes = [c for c in plan(desired, current).changes if not isinstance(c, RotateSecret)]
    before = [change.before.address for change in changes if not isinstance(change, Create)]
    after = [change.after.address for change in changes if not isinstance(change, Delete | Forget)]
    assert len(set(before)) == len(before)
    assert len(set(after)) == len(after)


@given(situations())
def test_permissions_are_renamed_only_with_their_connector(situation: Situation) -> None:
    current, desired = situation
    renamed = [item for item in plan(desired, current).changes if isinstance(item, Rename)]
    pairs = {
        (item.before.address.name, item.after.address.name)
        for item in renamed
        if isinstance(item.after, Connector)
    }
    for item in renamed:
        assert (item.before.address.name, item.after.address.name) in pairs
        assert item.before.address.kind is item.after.address.kind


@given(situations())
def test_an_update_lists_every_field_that_differs_and_no_other(situation: Situation) -> None:
    current, desired = situation
    for change in plan(desired, current).changes:
        if isinstance(change, Update | Rename):
            assert change.fields
            assert all(field.before != field.after for field in change.fields)
            assert len({field.path for field in change.fields}) == len(change.fields)


@given(situations())
def test_a_rotation_shows_exactly_where_the_mac_differs_under_the_same_key(
    situation: Situation,
) -> None:
    current, desired = situation
    changes = plan(desired, current).changes
    former = {
        item.after.address: item.before.address for item in changes if isinstance(item, Rename)
    }
    rotated = {
        (item.address, reference)
        for item in changes
        if isinstance(item, RotateSecret)
        for reference in item.references
    }
    expected = set()
    now = dict(desired.fingerprints)
    for configured in desired.snapshot.connectors:
        stored = current.stored(former.get(configured.address, configured.address))
        if stored is None:
            continue
        for reference, mark in stored.fingerprints:
            new = now.get(reference)
            if reference not in configured.references or new is None:
                continue
            if new.key_id == mark.key_id and new.mac != mark.mac:
                expected.add((configured.address, reference))
    assert rotated == expected


@given(situations())
def test_a_plan_is_a_function_of_its_arguments(situation: Situation) -> None:
    current, desired = situation
    assert plan(desired, current) == plan(desired, current)
    assert plan_digest(plan(desired, current)) == plan_digest(plan(desired, current))


@given(situations())
def test_a_plan_with_fingerprints_may_take_the_routes_of_one_without(situation: Situation) -> None:
    current, desired = situation
    earlier = plan(replace(desired, fingerprints=()), current)
    assert plan(desired, current, earlier=earlier) == plan(desired, current)


@given(situations(), st.data())
def test_only_what_changes_or_shares_a_secret_can_have_new_uses(
    situation: Situation, data: st.DataObject
) -> None:
    current, desired = situation
    values = st.sampled_from([None, Fingerprint("k", "1"), Fingerprint("k", "2")])
    remembered = tuple(
        CredentialUse(reference, str(reference), destination, data.draw(values))
        for resource in current.snapshot.resources
        for _, reference, destination in uses(resource)
    )
    current = replace(current, credential_uses=remembered)
    drawn = ((reference, data.draw(values)) for reference in REFERENCES)
    resolved = tuple((reference, value) for reference, value in drawn if value is not None)
    changed = frozenset(change.address for change in plan(desired, current).changes)
    every = new_uses(current, desired.snapshot, str, resolved)
    assert new_uses(current, desired.snapshot, str, resolved, changed=changed) == every


@given(situations(), st.randoms(use_true_random=False))
def test_the_order_of_what_is_stored_does_not_matter(situation: Situation, random: Random) -> None:
    current, desired = situation
    shuffled = list(current.resources)
    random.shuffle(shuffled)
    other = replace(current, resources=tuple(shuffled))
    assert plan(desired, other).changes == plan(desired, current).changes


@given(situations())
def test_a_resource_that_stays_as_it_is_is_not_mentioned(situation: Situation) -> None:
    current, desired = situation
    stored = {item.address: item.resource for item in current.resources}
    for change in plan(desired, current).changes:
        if isinstance(change, Create | Update):
            assert stored.get(change.after.address) != change.after


# --- keep going -----------------------------------------------------------------------------------


def reduced(situation: Situation, data: st.DataObject) -> tuple[frozenset[str], Desired]:
    current, desired = situation
    candidates = [item.connector for item in plan(desired, current).to_test]
    failed = frozenset(
        data.draw(st.lists(st.sampled_from(candidates), unique=True)) if candidates else []
    )
    return failed, without(desired, current, failed)


@given(situations(), st.data())
def test_the_remaining_configuration_after_failures_is_consistent(
    situation: Situation, data: st.DataObject
) -> None:
    _, left = reduced(situation, data)
    assert unresolved(left.snapshot) == []
    every = [item.address for item in left.snapshot.resources]
    assert len(set(every)) == len(every)


@given(situations(), st.data())
def test_failed_connectors_stay_exactly_as_they_are_stored(
    situation: Situation, data: st.DataObject
) -> None:
    current, desired = situation
    failed, left = reduced(situation, data)
    former = {
        item.after.address.name: item.before.address.name
        for item in plan(desired, current).changes
        if isinstance(item, Rename)
    }
    for name in failed:
        old = former.get(name, name)
        assert left.snapshot.connector(old) == current.snapshot.connector(old)
        if old != name:
            assert left.snapshot.connector(name) is None


def about(change: Change) -> tuple[type[Change], object]:
    return type(change), change.address


@given(situations(), st.data())
def test_failures_only_remove_changes(situation: Situation, data: st.DataObject) -> None:
    current, desired = situation
    _, left = reduced(situation, data)
    asked = plan(desired, current)
    configured = [
        change for change in asked.changes if change.address.kind is not Kind.GLOBAL_SMTP_POLICY
    ]
    for change in plan(left, current).changes:
        if change.address.kind is Kind.GLOBAL_SMTP_POLICY:
            # It follows the renames of what it names, and that only if it was to change anyway.
            assert about(change) in {about(item) for item in asked.changes}
        elif isinstance(change, RotateSecret):
            assert any(
                isinstance(item, RotateSecret)
                and item.address == change.address
                and set(change.references) <= set(item.references)
                for item in configured
            )
        else:
            assert change in configured


@given(situations())
def test_without_failures_everything_is_applied(situation: Situation) -> None:
    current, desired = situation
    left = without(desired, current, frozenset())
    assert left.snapshot == desired.snapshot
    assert plan(left, current).changes == plan(desired, current).changes
