"""A part of a plan: what it includes, and what it leaves as it is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.address import Address, Kind
from reconciler.model.directory import Group, Roles
from reconciler.model.fingerprint import Fingerprint
from reconciler.model.permissions import Permissions, Principals
from reconciler.model.policy import GlobalSmtpPolicy
from reconciler.model.secret_ref import SecretRef
from reconciler.model.snapshot import Snapshot, StoredState
from reconciler.plan.changes import RotateSecret
from reconciler.plan.inputs import Desired
from reconciler.plan.planner import plan
from reconciler.plan.scope import WHOLE, Scope, chosen_by, connectors_of, narrow_to
from reconciler.values import replace
from tests.builders import (
    FAILED,
    application,
    connector,
    mail_server,
    moved,
    permissions,
    receiving,
    stored,
)
from tests.strategies import carried_out, situations

if TYPE_CHECKING:
    from reconciler.model.resource import Resource

A: Final = connector("a", labels=("hr",))
B: Final = connector("b")
STAFF: Final = Group(name="staff", members=Principals(users=("ada",)))
OF_A: Final = permissions("a", users=Principals(groups=("staff",)))


def part(
    current: StoredState, *desired: object, scope: Scope, **fields: object
) -> tuple[list[str], list[str], list[str]]:
    """The addresses that a part changes, what comes along, and what is left out."""
    configured = Desired(Snapshot.of(tuple(desired)), **fields)  # type: ignore[arg-type]
    narrowed, partial = narrow_to(configured, current, scope)
    assert partial is not None
    changes = [str(item.address) for item in plan(narrowed, current).changes]
    return changes, [*map(str, partial.dependencies)], [*map(str, partial.left_out)]


def test_nothing_is_narrowed_without_a_scope() -> None:
    configured = Desired(Snapshot.of((A, B)))
    assert narrow_to(configured, StoredState(), WHOLE) == (configured, None)


def test_resources_outside_stay_as_stored() -> None:
    after_a, after_b = (replace(item, display_name="Other") for item in (A, B))
    changes, along, left = part(stored(A, B), after_a, after_b, scope=Scope(("a",)))
    assert (changes, along, left) == (["EmailConnector.a"], [], ["EmailConnector.b"])


def test_a_delete_outside_is_left_and_one_inside_is_made() -> None:
    assert part(stored(A, B), A, scope=Scope(("a",)))[0] == []
    assert part(stored(A, B), A, scope=Scope(("b",)))[0] == ["EmailConnector.b"]


@pytest.mark.parametrize(
    ("scope", "addresses"),
    [
        (Scope(("a",)), {"EmailConnector.a", "Permissions.a"}),
        (Scope(("EmailConnector.a",)), {"EmailConnector.a"}),
        (Scope(("Group.*",)), {"Group.staff", "Group.a"}),
        (Scope(labels=("hr",)), {"EmailConnector.a", "Permissions.a"}),
        (Scope(labels=("hr",), kinds=(Kind.PERMISSIONS,)), {"Permissions.a"}),
        (Scope(kinds=(Kind.GROUP, Kind.ROLES)), {"Group.staff", "Group.a", "Roles.default"}),
        (Scope(("a", "b")), {"EmailConnector.a", "Permissions.a", "EmailConnector.b"}),
        (Scope(("b",), ("hr",)), set()),
    ],
    ids=lambda value: str(value) if isinstance(value, Scope) else "",
)
def test_each_option_narrows_down_and_the_values_of_one_add_up(
    scope: Scope, addresses: set[str]
) -> None:
    snapshot = Snapshot.of((A, B, OF_A, STAFF, Group(name="a"), Roles()))
    assert {str(item) for item in chosen_by(scope, snapshot)} == addresses


def test_a_new_connector_comes_with_its_permissions_and_their_groups() -> None:
    """Without permissions, any internal user could send through it."""
    changes, along, left = part(
        stored(B), A, B, OF_A, STAFF, scope=Scope(kinds=(Kind.EMAIL_CONNECTOR,))
    )
    assert changes == ["Group.staff", "EmailConnector.a", "Permissions.a"]
    assert along == ["Group.staff", "Permissions.a"]
    assert left == []


def test_references_to_deleted_resources_are_included() -> None:
    policy = GlobalSmtpPolicy(enabled=True, connector="a")
    current = stored(A, B, permissions("a"), policy)
    changes, along, left = part(
        current,
        replace(B, display_name="Other"),
        replace(policy, connector="b"),
        scope=Scope(("EmailConnector.a",)),
    )
    assert along == ["EmailConnector.b", "GlobalSmtpPolicy.default", "Permissions.a"]
    assert "EmailConnector.a" in changes
    assert left == []


def test_a_connector_that_stops_sending_includes_its_policy() -> None:
    policy = GlobalSmtpPolicy(enabled=True, connector="a")
    silent = replace(A, enable_mail_send_from=False, smtp=None, email_address=None)
    _, along, _ = part(
        stored(A, B, policy), silent, B, replace(policy, connector="b"), scope=Scope(("a",))
    )
    assert along == ["GlobalSmtpPolicy.default"]


@pytest.mark.parametrize("pattern", ["a", "new"])
def test_a_rename_is_chosen_by_either_name(pattern: str) -> None:
    new, of_new = replace(A, name="new"), permissions("new")
    changes, along, left = part(
        stored(A, permissions("a"), B),
        new,
        of_new,
        B,
        scope=Scope((pattern,)),
        renames=(("new", "a"),),
    )
    assert changes == ["EmailConnector.new", "Permissions.new"]
    assert (along, left) == ([], [])


def test_a_rename_outside_does_not_happen() -> None:
    new = replace(A, name="new")
    changes, _, left = part(
        stored(A, B),
        new,
        replace(B, display_name="Other"),
        scope=Scope(("b",)),
        renames=(("new", "a"),),
    )
    assert (changes, left) == (["EmailConnector.b"], ["EmailConnector.new"])


def test_secrets_outside_are_not_compared() -> None:
    shared = SecretRef("env", "SHARED")
    mark = Fingerprint("k", "old")
    one, other = (
        replace(item, imap=replace(item.imap, password=shared), smtp=None, use_same_credentials=False,
                enable_mail_send_from=False, email_address=None)
        for item in (A, B) if item.imap
    )  # fmt: skip
    current = stored(one, other)
    current = replace(
        current,
        resources=tuple(
            replace(item, fingerprints=((shared, mark),)) for item in current.resources
        ),
    )
    configured = Desired(current.snapshot, fingerprints=((shared, Fingerprint("k", "new")),))
    assert {item.address.name for item in plan(configured, current).changes} == {"a", "b"}
    narrowed, _ = narrow_to(configured, current, Scope(("a",)))
    (change,) = plan(narrowed, current).changes
    assert isinstance(change, RotateSecret)
    assert change.address.name == "a"


def test_a_test_of_a_part_is_of_the_connectors_that_it_depends_on() -> None:
    policy = GlobalSmtpPolicy(enabled=True, connector="a", fallback_connector="b")
    snapshot = Snapshot.of((A, B, OF_A, STAFF, policy))
    assert connectors_of(snapshot, Scope(kinds=(Kind.GLOBAL_SMTP_POLICY,))) == {"a", "b"}
    assert connectors_of(snapshot, Scope(kinds=(Kind.PERMISSIONS,))) == {"a"}
    assert connectors_of(snapshot, Scope(kinds=(Kind.GROUP,))) == frozenset()


def test_an_address_that_moves_to_another_connector_is_given_up_by_the_first() -> None:
    aliases = ("team@contoso.example", "*@sales.contoso.example")
    before, after = replace(A, also_sends_as=aliases), replace(B, also_sends_as=aliases)
    changes, along, left = part(stored(before, B), A, after, scope=Scope(("b",)))
    assert (changes, along, left) == (
        ["EmailConnector.a", "EmailConnector.b"], ["EmailConnector.a"], []
    )  # fmt: skip
    gone = part(stored(before), after, scope=Scope(("b",)))[0]
    assert gone == ["EmailConnector.b", "EmailConnector.a"], (
        "one that is deleted goes along as well"
    )
    kept = part(stored(before, B), before, replace(B, labels=("x",)), scope=Scope(("b",)))
    assert kept == (["EmailConnector.b"], [], [])


def test_a_group_outside_that_comes_to_hold_one_within_is_left() -> None:
    everybody = Group(name="all", members=Principals(users=("bo",)))
    changes, along, left = part(
        stored(STAFF, everybody),
        replace(STAFF, members=Principals(users=("cy",))),
        replace(everybody, members=Principals(groups=("staff",))),
        scope=Scope(("Group.staff",)),
    )
    assert (changes, along, left) == (["Group.staff"], [], ["Group.all"])


def test_groups_that_change_places_never_hold_each_other() -> None:
    inner, outer = Group(name="x"), Group(name="y", members=Principals(groups=("x",)))
    turned = replace(inner, members=Principals(groups=("y",))), replace(outer, members=Principals())
    changes, along, _ = part(stored(inner, outer), *turned, scope=Scope(("Group.x",)))
    assert (changes, along) == (["Group.x", "Group.y"], ["Group.y"])


def test_administrators_do_not_get_lost_between_a_group_and_the_roles() -> None:
    leads, chiefs = (
        Group(name=name, members=Principals(users=("ada",))) for name in ("leads", "chiefs")
    )
    roles, new = (Roles(administrators=Principals(groups=(name,))) for name in ("leads", "chiefs"))
    empty = replace(leads, members=Principals())
    changes, along, _ = part(
        stored(leads, roles), empty, chiefs, new, scope=Scope(("Group.leads",))
    )
    assert (changes, along) == (
        ["Group.chiefs", "Group.leads", "Roles.default"], ["Group.chiefs", "Roles.default"]
    )  # fmt: skip
    (change,) = part(stored(leads, roles), empty, scope=Scope(("Group.leads",)))[0]
    assert change == "Group.leads", "where none are meant to be left, a limit refuses that"


THIEF: Final = receiving("thief", imap=mail_server("thief", server="evil.example"))
GUARDED: Final = replace(B, prevent_destroy=True)
MANY: Final = tuple(connector(f"m{number}") for number in range(20))
POLICY: Final = GlobalSmtpPolicy(enabled=True, connector="b")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((A,), (THIEF,)),  # a secret that would go somewhere new
        ((A, GUARDED), ()),  # a protected connector is deleted
        ((A, *MANY), MANY[:3]),  # too many are deleted
        ((A, *MANY), tuple(replace(item, labels=("x",)) for item in MANY)),  # too many change
        ((A, B, POLICY), (B, replace(POLICY, connector="a"))),  # the policy changes
        ((A, B, POLICY), (B,)),  # the policy goes
        (
            (A, STAFF, Roles(administrators=Principals(users=("ada",)))),
            (STAFF,),
        ),  # no roles are left
        ((A, B), (replace(B, name="b2"),)),  # a connector disappears under its old name
        ((A, B), (replace(B, draft=True, imap=None, smtp=None),)),  # one becomes a draft
        ((A, application("crm")), ()),  # a program loses its access
        ((A,), (application("crm"),)),  # a program is let in
        ((A, B), (moved(B, server="new.example", password=SecretRef("env", "GITHUB_TOKEN")),)),
    ],
)
def test_problems_outside_the_scope_do_not_block_a_part(
    before: tuple[Resource, ...], after: tuple[Resource, ...]
) -> None:
    current = stored(*before, tests={"b": FAILED})
    new = replace(A, display_name="Other")
    narrowed, partial = narrow_to(Desired(Snapshot.of((new, *after))), current, Scope(("a",)))
    made = plan(narrowed, current)
    assert [str(item.address) for item in made.changes] == ["EmailConnector.a"]
    assert (made.violations, made.new_credentials, made.impact.access) == ((), (), ())
    assert {item.connector for item in made.to_test} <= {"a"}
    assert made.not_ready == ()
    assert partial is not None
    assert partial.left_out


SCOPES: Final = st.builds(
    Scope,
    st.lists(st.sampled_from(("a*", "b*", "*", "c", "Group.*")), max_size=2).map(tuple),
    st.just(()),
    st.lists(st.sampled_from(Kind), max_size=2).map(tuple),
)


@given(situations(), SCOPES)
def test_a_part_changes_nothing_outside_and_the_rest_can_follow(
    situation: tuple[StoredState, Desired], scope: Scope
) -> None:
    current, desired = situation
    narrowed, partial = narrow_to(desired, current, scope)
    changes = plan(narrowed, current).changes
    after = carried_out(current, changes, narrowed)
    assert after.snapshot == narrowed.snapshot
    touched = {item.address for item in changes}
    if partial is not None:
        assert touched.isdisjoint(partial.left_out)
        chosen = chosen_by(scope, current.snapshot, desired.snapshot)
        twins = {Address(kind, name) for pair in desired.renames for name in pair for kind in Kind}
        assert touched <= chosen | set(partial.dependencies) | twins
    assert dangling(narrowed.snapshot) <= dangling(current.snapshot) | dangling(desired.snapshot)


def dangling(snapshot: Snapshot) -> set[tuple[Address, Address]]:
    """References that lead to nothing."""
    there = {item.address for item in snapshot.resources}
    found = set()
    for item in snapshot.resources:
        names: list[Address] = []
        if isinstance(item, Permissions):
            names.append(Address(Kind.EMAIL_CONNECTOR, item.connector))
            names += [
                Address(Kind.GROUP, n) for n in (*item.users.groups, *item.administrators.groups)
            ]
        if isinstance(item, GlobalSmtpPolicy):
            both = (item.connector, item.fallback_connector)
            names += [Address(Kind.EMAIL_CONNECTOR, name) for name in both if name]
        if isinstance(item, Group):
            names += [Address(Kind.GROUP, name) for name in item.members.groups]
        found |= {(item.address, name) for name in names if name not in there}
    return found


def test_a_part_of_many_resources_costs_no_comparison_of_each_with_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared = 0
    equal = Address.__eq__

    def counted(self: Address, other: object) -> bool:
        nonlocal compared
        compared += 1
        return equal(self, other)

    monkeypatch.setattr(Address, "__eq__", counted)
    counts = []
    for many in (50, 100):
        compared = 0
        desired = [connector(f"c-{number}") for number in range(many)]
        _, _, left_out = part(StoredState(), *desired, scope=Scope(patterns=("c-*[02468]",)))
        assert len(left_out) == many // 2
        counts.append(compared)
    assert counts[1] <= 3 * counts[0]  # twice as many, not four times
