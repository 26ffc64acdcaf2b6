"""What every store does with a revision."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.errors import StateConflict
from reconciler.model.address import Address, Kind
from reconciler.model.connector import Connector, MailServer, Security
from reconciler.model.directory import Group, Roles
from reconciler.model.fingerprint import Fingerprint
from reconciler.model.permissions import Permissions, Principals
from reconciler.model.policy import GlobalSmtpPolicy
from reconciler.model.provider import Provider, ServerDefaults
from reconciler.model.secret_ref import SecretRef
from reconciler.model.snapshot import LastTest, Status, StoredResource, StoredState
from reconciler.plan.changes import ChangeCounts, Create, Delete, Rename, RotateSecret, Update
from reconciler.state.base import Commit, Revision, StateStore
from reconciler.values import replace

if TYPE_CHECKING:
    from reconciler.model.resource import Resource

Apply = Callable[..., Revision]

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PASSWORD = SecretRef("env", "SUPPORT_PASSWORD")
OTHER = SecretRef("file", "/run/secrets/smtp")
SERVER = MailServer(
    server="imap.contoso.example",
    port=993,
    security=Security.IMPLICIT,
    username="support@contoso.example",
    password=PASSWORD,
)
SUPPORT = Connector(name="support", display_name="Поддержка — “support”", imap=SERVER)
EVERY_KIND: tuple[Resource, ...] = (
    Provider(
        name="own.example",
        imap=ServerDefaults(server="mx.example", port=993, security=Security.IMPLICIT),
    ),
    Group(name="team", members=Principals(users=("bob",))),
    Roles(administrators=Principals(groups=("team",)), internal_domains=("contoso.example",)),
    SUPPORT,
    Permissions(connector="support", users=Principals(groups=("team",)), enable_b2b=True),
    GlobalSmtpPolicy(fallback_connector="support"),
)
PASSED = LastTest(passed=True, at=NOON, summary="all well")
FAILED = LastTest(
    False, NOON, "authentication", "auth_rejected", "wrong password", failing_since=NOON
)


def of(state: StoredState, resource: Resource) -> StoredResource:
    found = state.stored(resource.address)
    assert found is not None
    return found


def test_a_state_that_does_not_exist_is_the_empty_one(store: StateStore) -> None:
    assert store.load() == StoredState()
    assert store.revisions() == ()
    assert store.changes_of(1) == ()
    assert store.history(SUPPORT.address) == ()
    assert store.lease() is None


def test_every_kind_of_resource_comes_back_as_it_was(store: StateStore, apply: Apply) -> None:
    apply(store, *map(Create, EVERY_KIND))
    state = store.load()
    assert state.snapshot.resources == EVERY_KIND
    assert [item.address for item in state.resources] == sorted(item.address for item in EVERY_KIND)


def test_expected_resources_are_reused(store: StateStore, apply: Apply) -> None:
    apply(store, *map(Create, EVERY_KIND))
    assert isinstance(SUPPORT, Connector)
    other = replace(SUPPORT, display_name="Another name")
    expected = {item.address: item for item in (*EVERY_KIND, other)}
    state = store.load(expected)
    assert state == store.load()
    for item in state.resources:
        assert (item.resource is expected[item.address]) == (item.address != SUPPORT.address)


def test_the_first_commit_gives_a_lineage_which_later_ones_keep(
    store: StateStore, apply: Apply
) -> None:
    apply(store, Create(SUPPORT))
    lineage = store.load().lineage
    assert len(lineage) == 32
    apply(store, Create(Group(name="team")))
    assert (store.load().lineage, store.load().serial) == (lineage, 2)


def test_a_revision_is_kept_with_who_when_why_and_how_much(store: StateStore, apply: Apply) -> None:
    revision = apply(
        store, Create(SUPPORT), Create(Group(name="team")), note="tests skipped: moving house"
    )
    assert revision == Revision(
        serial=1,
        at=NOON,
        actor="alice@contoso.example",
        actor_source="--actor",
        git_commit="c0ffee",
        tool_version="1.2.3",
        plan_digest="sha256:00",
        counts=ChangeCounts(added=2),
        note="tests skipped: moving house",
    )
    assert store.revisions() == (revision,)


def test_moments_come_back_in_utc(store: StateStore, apply: Apply) -> None:
    here = timezone(timedelta(hours=5, minutes=30))
    apply(store, Create(SUPPORT), at=datetime(2026, 3, 1, 17, 30, 0, 123456, tzinfo=here))
    created_at = of(store.load(), SUPPORT).created_at
    assert created_at == NOON.replace(microsecond=123456)
    assert created_at.tzinfo is UTC


def test_an_update_moves_the_modification_and_not_the_creation(
    store: StateStore, apply: Apply
) -> None:
    apply(store, Create(SUPPORT))
    changed = replace(SUPPORT, labels=("hr",))
    revision = apply(store, Update(SUPPORT, changed, ()), actor="bob")
    stored = of(store.load(), changed)
    assert stored.resource == changed
    assert (stored.created_at, stored.modified_at) == (NOON, revision.at)
    assert stored.modified_by == "bob"
    assert revision.counts == ChangeCounts(changed=1)


def test_a_rename_keeps_the_resources_history(store: StateStore, apply: Apply) -> None:
    mark = Fingerprint("key", "00")
    apply(
        store,
        Create(SUPPORT),
        fingerprints=(("support", ((PASSWORD, mark),)),),
        tests=(("support", PASSED),),
    )
    renamed = replace(SUPPORT, name="helpdesk")
    apply(store, Rename(SUPPORT, renamed, ()))
    stored = of(store.load(), renamed)
    assert stored.created_at == NOON
    assert stored.fingerprints == ((PASSWORD, mark),)
    assert stored.last_test == PASSED
    assert store.load().stored(SUPPORT.address) is None


def test_names_may_move_on_within_one_revision(store: StateStore, apply: Apply) -> None:
    first, second = Group(name="a"), Group(name="b", members=Principals(users=("bob",)))
    apply(store, Create(first), Create(second))
    apply(
        store,
        Rename(second, replace(second, name="c"), ()),
        Rename(first, replace(first, name="b"), ()),
    )
    assert store.load().snapshot.groups == (replace(first, name="b"), replace(second, name="c"))
    apply(store, Delete(replace(first, name="b")), Create(Group(name="b")))
    assert store.load().snapshot.groups == (Group(name="b"), replace(second, name="c"))


def test_two_resources_may_swap_their_names(store: StateStore, apply: Apply) -> None:
    first, second = Group(name="a"), Group(name="b", members=Principals(users=("bob",)))
    aside = replace(first, name="aside")
    apply(store, Create(first), Create(second))
    apply(
        store,
        Rename(first, aside, ()),
        Rename(second, replace(second, name="a"), ()),
        Rename(aside, replace(first, name="b"), ()),
    )
    assert store.load().snapshot.groups == (replace(second, name="a"), replace(first, name="b"))


def test_a_delete_leaves_nothing_but_history(store: StateStore, apply: Apply) -> None:
    apply(
        store,
        Create(SUPPORT),
        fingerprints=(("support", ((PASSWORD, Fingerprint("key", "00")),)),),
        tests=(("support", PASSED),),
    )
    revision = apply(store, Delete(SUPPORT))
    assert store.load().resources == ()
    assert revision.counts == ChangeCounts(destroyed=1)
    apply(store, Create(SUPPORT))
    stored = of(store.load(), SUPPORT)
    assert (stored.fingerprints, stored.last_test) == ((), None)


def test_a_connector_updated_and_rotated_counts_once(store: StateStore, apply: Apply) -> None:
    apply(store, Create(SUPPORT))
    changed = replace(SUPPORT, labels=("hr",))
    revision = apply(store, Update(SUPPORT, changed, ()), RotateSecret(changed, (PASSWORD,)))
    assert revision.counts == ChangeCounts(changed=1)


# --- fingerprints ---------------------------------------------------------------------------------


def test_a_fingerprint_replaces_that_of_the_same_reference_only(
    store: StateStore, apply: Apply
) -> None:
    both = replace(
        SUPPORT, enable_mail_send_from=True, smtp=replace(SERVER, port=465, password=OTHER)
    )
    old, new = Fingerprint("key", "00"), Fingerprint("key", "11")
    apply(store, Create(both), fingerprints=(("support", ((PASSWORD, old), (OTHER, old))),))
    apply(
        store,
        RotateSecret(both, (PASSWORD,)),
        fingerprints=(("support", ((PASSWORD, new),)),),
    )
    assert of(store.load(), both).fingerprints == ((PASSWORD, new), (OTHER, old))


def test_the_fingerprint_of_a_removed_reference_is_removed(store: StateStore, apply: Apply) -> None:
    apply(
        store,
        Create(SUPPORT),
        fingerprints=(("support", ((PASSWORD, Fingerprint("key", "00")),)),),
    )
    moved = replace(SUPPORT, imap=replace(SERVER, password=OTHER))
    apply(store, Update(SUPPORT, moved, ()))
    assert of(store.load(), moved).fingerprints == ()


def test_a_commit_may_write_only_fingerprints(store: StateStore, apply: Apply) -> None:
    apply(store, Create(SUPPORT))
    mark = Fingerprint("key", "00")
    apply(
        store,
        fingerprints=(("support", ((PASSWORD, mark), (OTHER, mark))), ("nobody", ((OTHER, mark),))),
    )
    assert of(store.load(), SUPPORT).fingerprints == ((PASSWORD, mark),)


# --- tests ----------------------------------------------------------------------------------------


def test_the_last_test_decides_on_the_status(store: StateStore, apply: Apply) -> None:
    apply(store, Create(SUPPORT))
    assert of(store.load(), SUPPORT).status is Status.UNTESTED
    store.record_tests((("support", FAILED),), serial=1)
    assert of(store.load(), SUPPORT).last_test == FAILED
    assert of(store.load(), SUPPORT).status is Status.FAILING
    store.record_tests((("support", PASSED),), serial=1)
    assert of(store.load(), SUPPORT).status is Status.READY
    assert store.load().serial == 1


def test_a_connector_fails_since_the_first_failure_that_no_success_interrupted(
    store: StateStore, apply: Apply
) -> None:
    def later(result: LastTest, hours: int) -> LastTest:
        return replace(result, at=NOON + timedelta(hours=hours), failing_since=None)

    def since() -> datetime | None:
        last = of(store.load(), SUPPORT).last_test
        assert last is not None
        return last.failing_since

    apply(store, Create(SUPPORT), tests=(("support", later(FAILED, 0)),))
    assert since() == NOON
    store.record_tests((("support", later(FAILED, 1)),), serial=1)
    apply(store, tests=(("support", later(FAILED, 2)),))
    assert since() == NOON
    store.record_tests((("support", later(PASSED, 3)),), serial=2)
    assert since() is None
    store.record_tests((("support", later(FAILED, 4)),), serial=2)
    assert since() == NOON + timedelta(hours=4)
    apply(store, RotateSecret(SUPPORT, (PASSWORD,)), tests=(("support", later(FAILED, 5)),))
    assert since() == NOON + timedelta(hours=5)


def test_the_observations_of_a_test_are_read_back_unchanged(
    store: StateStore, apply: Apply
) -> None:
    seen = replace(PASSED, facts={"imap": {"mechanisms": ["PLAIN"], "until": None, "имя": 1}})
    apply(store, Create(SUPPORT), tests=(("support", seen),))
    assert of(store.load(), SUPPORT).last_test == seen
    store.record_tests((("support", PASSED),), serial=1)
    assert of(store.load(), SUPPORT).last_test == PASSED


@pytest.mark.parametrize(
    ("changed", "kept"),
    [
        (replace(SUPPORT, display_name="Helpdesk", labels=("hr",)), True),
        (replace(SUPPORT, imap=replace(SERVER, port=143)), False),
        (replace(SUPPORT, enable_mail_send_from=True, smtp=SERVER), False),
        (replace(SUPPORT, sent_folder="Sent"), False),
    ],
)
def test_a_change_of_the_connection_makes_the_last_test_void(
    store: StateStore, apply: Apply, changed: Connector, kept: bool
) -> None:
    apply(store, Create(SUPPORT), tests=(("support", PASSED),))
    apply(store, Update(SUPPORT, changed, ()))
    assert of(store.load(), changed).last_test == (PASSED if kept else None)


def test_a_rotation_makes_the_last_test_void_unless_a_new_one_came_with_it(
    store: StateStore, apply: Apply
) -> None:
    apply(store, Create(SUPPORT), tests=(("support", PASSED),))
    apply(store, RotateSecret(SUPPORT, (PASSWORD,)))
    assert of(store.load(), SUPPORT).last_test is None
    apply(store, RotateSecret(SUPPORT, (PASSWORD,)), tests=(("support", FAILED),))
    assert of(store.load(), SUPPORT).last_test == FAILED


def test_results_of_removed_or_changed_connectors_are_dropped(
    store: StateStore, apply: Apply
) -> None:
    store.record_tests((("support", PASSED),), serial=0)
    apply(store, Create(SUPPORT))
    changed = replace(SUPPORT, labels=("hr",))
    apply(store, Update(SUPPORT, changed, ()))
    store.record_tests((("support", PASSED), ("nobody", PASSED)), serial=1)
    assert of(store.load(), changed).last_test is None
    store.record_tests((("support", PASSED),), serial=2)
    assert of(store.load(), changed).last_test == PASSED


# --- conflicts ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"expected_serial": 0}, "serial 1"),
        ({"expected_serial": 2}, "serial 1"),
        ({"expected_lineage": "f" * 32}, "lineage"),
        ({"expected_lineage": "", "expected_serial": 0}, "serial 1"),
    ],
)
def test_a_state_that_moved_on_refuses_and_stays_as_it_is(
    store: StateStore, apply: Apply, fields: dict[str, Any], what: str
) -> None:
    apply(store, Create(SUPPORT))
    before = store.load()
    with pytest.raises(StateConflict, match=what) as caught:
        apply(store, Delete(SUPPORT), **fields)
    assert "plan again" in caught.value.hint
    assert store.load() == before
    assert len(store.revisions()) == 1


@pytest.mark.parametrize(
    "change",
    [
        Create(SUPPORT),
        Update(Group(name="no"), Group(name="no"), ()),
        Delete(Group(name="no")),
        Rename(Group(name="no"), Group(name="yes"), ()),
        Rename(SUPPORT, replace(SUPPORT, name="other"), ()),
        RotateSecret(replace(SUPPORT, name="no"), (PASSWORD,)),
    ],
)
def test_changes_that_do_not_fit_leave_no_trace(
    store: StateStore, apply: Apply, change: Any
) -> None:
    apply(store, Create(SUPPORT), Create(replace(SUPPORT, name="other")))
    before = store.load()
    with pytest.raises(StateConflict, match=r"EmailConnector\.|Group\.no"):
        apply(store, Create(Group(name="team")), change)
    assert store.load() == before
    assert store.history(Address(Kind.GROUP, "team")) == ()


def test_a_commit_without_the_lock_is_refused(store: StateStore) -> None:
    new = Commit("", 0, (Create(SUPPORT),), NOON, "alice", "os", "", "1", "sha256:00")
    for token in ("", "made-up"):
        with pytest.raises(StateConflict, match="lock was lost"):
            store.commit(new, token=token)
    assert store.load() == StoredState()
