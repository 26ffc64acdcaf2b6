"""What every store remembers of the past."""

from __future__ import annotations

from collections.abc import Callable

from reconciler.model.address import Address, Kind
from reconciler.model.connector import Connector
from reconciler.model.directory import Group
from reconciler.model.permissions import Principals
from reconciler.model.resource import spec_of
from reconciler.model.secret_ref import SecretRef
from reconciler.plan.changes import Create, Delete, Rename, RotateSecret, Update
from reconciler.state.base import Revision, StateStore
from reconciler.values import replace

Apply = Callable[..., Revision]

SUPPORT = Connector(name="support", display_name="Support")
HELPDESK = replace(SUPPORT, name="helpdesk")


def test_history_lists_every_action_newest_first(store: StateStore, apply: Apply) -> None:
    changed = replace(SUPPORT, labels=("hr",))
    apply(store, Create(SUPPORT))
    apply(store, Create(Group(name="unrelated")))
    apply(store, Update(SUPPORT, changed, ()), RotateSecret(changed, (SecretRef("env", "A"),)))
    last = apply(store, Delete(changed), actor="bob")
    entries = store.history(SUPPORT.address)
    assert [(item.serial, item.action) for item in entries] == [
        (4, "delete"),
        (3, "rotate_secret"),
        (3, "update"),
        (1, "create"),
    ]
    assert [item.spec for item in entries] == [
        None,
        spec_of(changed),
        spec_of(changed),
        spec_of(SUPPORT),
    ]
    assert (entries[0].at, entries[0].actor) == (last.at, "bob")
    assert store.history(SUPPORT.address, limit=2) == entries[:2]


def test_history_goes_back_through_renames(store: StateStore, apply: Apply) -> None:
    apply(store, Create(SUPPORT))
    apply(store, Rename(SUPPORT, HELPDESK, ()))
    apply(store, Update(HELPDESK, replace(HELPDESK, labels=("hr",)), ()))
    entries = store.history(HELPDESK.address)
    assert [(item.action, item.address.name, item.renamed_from) for item in entries] == [
        ("update", "helpdesk", ""),
        ("rename", "helpdesk", "support"),
        ("create", "support", ""),
    ]


def test_a_former_name_finds_the_renamed_resource(store: StateStore, apply: Apply) -> None:
    apply(store, Create(SUPPORT))
    apply(store, Rename(SUPPORT, HELPDESK, ()))
    assert store.history(SUPPORT.address) == store.history(HELPDESK.address)


def test_a_reused_name_has_its_own_history(store: StateStore, apply: Apply) -> None:
    apply(store, Create(SUPPORT))
    apply(store, Rename(SUPPORT, HELPDESK, ()))
    apply(store, Create(SUPPORT))
    assert [item.serial for item in store.history(SUPPORT.address)] == [3]
    assert [item.serial for item in store.history(HELPDESK.address)] == [2, 1]


def test_a_name_used_again_after_a_delete_shows_both_lives(store: StateStore, apply: Apply) -> None:
    apply(store, Create(SUPPORT))
    apply(store, Delete(SUPPORT))
    apply(store, Create(SUPPORT))
    assert [item.action for item in store.history(SUPPORT.address)] == [
        "create",
        "delete",
        "create",
    ]


def test_the_changes_of_a_revision_come_in_their_order(store: StateStore, apply: Apply) -> None:
    groups = [Group(name=name, members=Principals(users=(name,))) for name in "zaqb"]
    apply(store, *map(Create, groups))
    apply(store, Delete(groups[0]))
    assert [item.address for item in store.changes_of(1)] == [item.address for item in groups]
    assert [item.spec for item in store.changes_of(1)] == [spec_of(item) for item in groups]
    assert [item.action for item in store.changes_of(2)] == ["delete"]
    assert store.changes_of(3) == ()


def test_revisions_come_newest_first_up_to_a_limit(store: StateStore, apply: Apply) -> None:
    made = [apply(store, Create(Group(name=f"g{number}"))) for number in range(4)]
    assert store.revisions() == tuple(made[::-1])
    assert store.revisions(limit=2) == tuple(made[:1:-1])


def test_an_empty_apply_is_a_revision_too(store: StateStore, apply: Apply) -> None:
    apply(store)
    assert [item.serial for item in store.revisions()] == [1]
    assert store.changes_of(1) == ()
    assert store.history(Address(Kind.GROUP, "none")) == ()


def test_the_past_is_what_each_revision_left_behind(store: StateStore, apply: Apply) -> None:
    changed = replace(HELPDESK, labels=("hr",))
    group = Group(name="team")
    apply(store, Create(SUPPORT), Create(group))
    apply(store, Rename(SUPPORT, HELPDESK, ()), Delete(group))
    apply(store, Update(HELPDESK, changed, ()), RotateSecret(changed, ()))
    left = [set(store.past(serial).resources.values()) for serial in range(5)]
    assert left == [set(), {SUPPORT, group}, {HELPDESK}, {changed}, {changed}]
    uids = [
        next(uid for uid, item in store.past(serial).resources.items() if item != group)
        for serial in (1, 2, 3)
    ]
    assert len(set(uids)) == 1, "a uid stays through renames"


def test_the_past_reuses_expected_resources_only_where_they_are_equal(
    store: StateStore, apply: Apply
) -> None:
    group = Group(name="team")
    changed = replace(SUPPORT, labels=("hr",))
    apply(store, Create(SUPPORT), Create(group))
    apply(store, Update(SUPPORT, changed, ()))
    like = {item.address: item for item in store.load().snapshot.resources}
    for serial, left in ((1, {SUPPORT, group}), (2, {changed, group})):
        found = store.past(serial, like)
        assert found == store.past(serial)
        assert set(found.resources.values()) == left


def test_a_step_holds_what_one_revision_touched_and_nothing_else(
    store: StateStore, apply: Apply
) -> None:
    group, other = Group(name="team"), Group(name="other")
    apply(store, Create(SUPPORT), Create(group))
    apply(store, Create(other), Rename(SUPPORT, HELPDESK, ()))
    before, after = store.step(2)
    assert set(before.resources.values()) == {SUPPORT}
    assert set(after.resources.values()) == {other, HELPDESK}
    assert before.resources.keys() < after.resources.keys()
    assert [dict(state.resources) for state in store.step(7)] == [{}, {}]


def test_revisions_are_listed_up_to_one(store: StateStore, apply: Apply) -> None:
    for name in ("a", "b", "c"):
        apply(store, Create(Group(name=name)), git_commit=name)
    assert [item.serial for item in store.revisions(until=2)] == [2, 1]
    assert [item.serial for item in store.revisions(until=0)] == []
    address = Address(Kind.GROUP, "b")
    assert [item.git_commit for item in store.history(address)] == ["b"]
