"""--keep-going: what is left when some connectors failed, case by case."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.fingerprint import Fingerprint
from reconciler.model.policy import GlobalSmtpPolicy
from reconciler.model.provider import Provider
from reconciler.model.secret_ref import SecretRef
from reconciler.plan.inputs import Desired
from reconciler.plan.keep_going import without
from reconciler.plan.planner import plan
from reconciler.values import replace
from tests.builders import (
    connector,
    group,
    groups,
    permissions,
    receiving,
    roles,
    snapshot,
    stored,
    users,
)
from tests.strategies import unresolved

if TYPE_CHECKING:
    from reconciler.model.snapshot import Snapshot, StoredState

A, B, C = connector("a"), connector("b"), connector("c")


def left(
    state: StoredState,
    configured: Snapshot,
    *failed: str,
    renames: tuple[tuple[str, str], ...] = (),
) -> Snapshot:
    found = without(Desired(configured, renames), state, frozenset(failed)).snapshot
    assert unresolved(found) == []
    return found


def test_a_new_connector_that_failed_stays_away_with_its_permissions() -> None:
    configured = snapshot(A, B, permissions("b", users=users("ada")))
    assert left(stored(A), configured, "b") == snapshot(A)


def test_a_changed_connector_that_failed_stays_as_it_is_stored() -> None:
    configured = snapshot(replace(A, sent_folder="Sent"), B)
    assert left(stored(A), configured, "a") == snapshot(A, B)


def test_the_permissions_of_a_changed_connector_wait_for_the_change_they_came_with() -> None:
    before, after = permissions("a", users=users("ada")), permissions("a")
    configured = snapshot(replace(A, sent_folder="Sent"), after)
    assert left(stored(A, before), configured, "a") == snapshot(A, before)


def test_the_permissions_of_an_unchanged_connector_that_fails_can_still_be_changed() -> None:
    before, after = (
        permissions("a", users=users("ada", "eve")),
        permissions("a", users=users("ada")),
    )
    assert left(stored(A, before), snapshot(A, after), "a") == snapshot(A, after)
    assert left(stored(A, before), snapshot(A), "a") == snapshot(A)


def test_a_rename_that_was_applied_long_ago_does_not_lose_the_connector() -> None:
    configured = snapshot(replace(A, sent_folder="Sent"))
    assert left(stored(A), configured, "a", renames=(("a", "former"),)) == snapshot(A)


def test_a_renamed_connector_that_failed_keeps_its_name_and_permissions() -> None:
    old = permissions("a", users=users("ada"))
    configured = snapshot(replace(A, name="new"), permissions("new", users=users("eve")))
    found = left(stored(A, old), configured, "new", renames=(("new", "a"),))
    assert found == snapshot(A, old)


def test_a_policy_that_names_a_failed_connector_stays_as_it_is_stored() -> None:
    before = GlobalSmtpPolicy(enabled=True, connector="a")
    after = GlobalSmtpPolicy(enabled=True, connector="b")
    assert left(stored(A, before), snapshot(A, B, after), "b") == snapshot(A, before)


def test_a_new_policy_that_names_a_failed_connector_stays_away() -> None:
    after = GlobalSmtpPolicy(fallback_connector="b")
    assert left(stored(A), snapshot(A, B, after), "b") == snapshot(A)


def test_the_stored_policy_keeps_the_connector_that_was_to_be_deleted_and_its_permissions() -> None:
    before = GlobalSmtpPolicy(enabled=True, connector="a")
    after = GlobalSmtpPolicy(enabled=True, connector="b")
    kept = permissions("a", users=groups("staff"))
    staff = group("staff", "ada", within=("inner",))
    inner = group("inner", "eve")
    state = stored(A, kept, staff, inner, before)
    assert left(state, snapshot(B, after), "b") == snapshot(A, kept, staff, inner, before)


def test_the_stored_policy_keeps_a_connector_that_would_no_longer_send() -> None:
    before = GlobalSmtpPolicy(enabled=True, connector="a")
    after = GlobalSmtpPolicy(enabled=True, connector="b")
    for mute in (receiving("a"), replace(A, draft=True)):
        assert left(stored(A, before), snapshot(mute, B, after), "b") == snapshot(A, before)


def test_the_stored_policy_follows_a_rename_that_passed() -> None:
    before = GlobalSmtpPolicy(enabled=True, connector="a", fallback_connector="a")
    after = GlobalSmtpPolicy(enabled=True, connector="b", fallback_connector="new")
    new = replace(A, name="new")
    found = left(stored(A, before), snapshot(new, B, after), "b", renames=(("new", "a"),))
    assert found == snapshot(new, replace(before, connector="new", fallback_connector="new"))


def test_a_policy_that_names_none_of_the_failed_is_applied() -> None:
    after = GlobalSmtpPolicy(enabled=True, connector="a")
    assert left(stored(A, B), snapshot(A, B, after), "b").policy == after


def test_what_stays_keeps_its_provider() -> None:
    own = Provider(name="own")
    before = connector("a", provider="own")
    configured = snapshot(connector("a", sent_folder="Sent"))
    assert left(stored(before, own), configured, "a") == snapshot(before, own)


def test_roles_and_groups_are_applied_all_the_same() -> None:
    configured = snapshot(B, roles("ada"), group("staff", "ada"))
    found = left(stored(A), snapshot(*configured.resources, A), "b")
    assert found == snapshot(A, roles("ada"), group("staff", "ada"))


def test_a_rotation_of_a_failed_connector_stays_pending_and_that_of_another_does_not() -> None:
    of_a, of_b = SecretRef("env", "A_PASSWORD"), SecretRef("env", "B_PASSWORD")
    old, new = Fingerprint("k", "old"), Fingerprint("k", "new")
    state = stored(A, B, fingerprints={"a": {of_a: old}, "b": {of_b: old}})
    desired = Desired(snapshot(A, B), (), ((of_a, new), (of_b, new)))
    found = without(desired, state, frozenset({"a"}))
    assert found.fingerprints == ((of_b, new),)
    assert [change.address.name for change in plan(found, state).changes] == ["b"]


def test_several_failures_at_once() -> None:
    configured = snapshot(*(replace(item, sent_folder="Sent") for item in (A, B, C)))
    assert left(stored(A, B), configured, "a", "c") == snapshot(A, replace(B, sent_folder="Sent"))
