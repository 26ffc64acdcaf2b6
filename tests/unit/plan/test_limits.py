"""Limits: their exact boundaries, what they leave alone, and overrides that reach no further."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.model.credential_rule import CredentialRule
from reconciler.model.policy import GlobalSmtpPolicy, ReplyTo
from reconciler.plan.inputs import Limits, Overrides
from reconciler.plan.limits import Limit, LimitViolation
from reconciler.values import replace
from tests.builders import EMPTY, connector, planned, roles, stored

if TYPE_CHECKING:
    from reconciler.model.connector import Connector


def many(number: int) -> list[Connector]:
    return [connector(f"c{index:02}") for index in range(number)]


def broken(violations: tuple[LimitViolation, ...]) -> list[Limit]:
    return [item.limit for item in violations]


@pytest.mark.parametrize(
    ("there", "gone", "refused"),
    [
        (10, 3, False),
        (10, 4, True),
        (11, 3, False),
        (11, 4, True),
        (11, 5, True),
        (9, 8, False),
        (100, 30, False),
        (100, 31, True),
    ],
)
def test_deletes_of_more_than_30_percent_of_10_or_more_connectors_are_refused(
    there: int, gone: int, refused: bool
) -> None:
    every = many(there)
    made = planned(stored(*every), *every[gone:])
    assert made.counts.destroyed == gone
    assert broken(made.violations) == ([Limit.DELETES] if refused else [])


def test_a_refused_delete_gives_the_numbers_and_the_override() -> None:
    every = many(11)
    (violation,) = planned(stored(*every), *every[5:]).violations
    assert violation.message == (
        "5 of 11 stored connectors (45 %) would be deleted; the limit is 30 %"
    )
    assert violation.override == "--allow-deletes 5"


@pytest.mark.parametrize(("touched", "refused"), [(3, False), (4, True)])
def test_updates_of_more_than_30_percent_are_refused(touched: int, refused: bool) -> None:
    every = many(10)
    configured = [
        replace(item, display_name="Other") if index < touched else item
        for index, item in enumerate(every)
    ]
    made = planned(stored(*every), *configured)
    assert broken(made.violations) == ([Limit.UPDATES] if refused else [])


def test_renames_count_as_updates_and_new_connectors_as_nothing() -> None:
    every = many(10)
    names = [(f"new{index}", f"c{index:02}") for index in range(4)]
    renamed = [replace(item, name=f"new{index}") for index, item in enumerate(every[:4])]
    fresh = [connector(f"fresh{index}") for index in range(20)]
    made = planned(stored(*every), *renamed, *every[4:], *fresh, renames=tuple(names))
    assert broken(made.violations) == [Limit.UPDATES]


def test_an_override_allows_exactly_as_many_as_it_says() -> None:
    every = many(11)
    state, configured = stored(*every), every[5:]
    assert planned(state, *configured, overrides=Overrides(deletes=5)).violations == ()
    too_few = planned(state, *configured, overrides=Overrides(deletes=4))
    assert broken(too_few.violations) == [Limit.DELETES]
    of_another_kind = planned(
        state, *configured, overrides=Overrides(updates=99, policy_change=True)
    )
    assert broken(of_another_kind.violations) == [Limit.DELETES]


def test_the_absolute_limits_hold_however_many_there_are() -> None:
    every = many(30)
    limits = Limits(max_delete_percent=100, max_deletes=5)
    made = planned(stored(*every), *every[6:], limits=limits)
    assert [item.message for item in made.violations] == [
        "6 connectors would be deleted; the limit is 5"
    ]
    assert planned(stored(*every), *every[5:], limits=limits).violations == ()


def test_an_empty_configuration_is_refused_however_little_is_stored() -> None:
    state = stored(connector("info"), connector("support"), roles("ada"))
    (violation,) = planned(state).violations
    assert violation.limit is Limit.EMPTY
    assert "all 3 stored resources" in violation.message
    assert violation.override == "--allow-deletes 2"
    assert planned(state, overrides=Overrides(deletes=2)).violations == ()
    assert broken(planned(state, overrides=Overrides(deletes=1)).violations) == [Limit.EMPTY]
    (violation,) = planned(stored(roles("ada"))).violations
    assert violation.override == "--allow-deletes 1"


def test_an_empty_configuration_of_an_empty_state_changes_nothing() -> None:
    made = planned(EMPTY)
    assert made.empty
    assert made.violations == ()


def test_a_limit_never_keeps_the_plan_from_being_shown() -> None:
    every = many(11)
    assert len(planned(stored(*every)).changes) == 11


# --- protection -----------------------------------------------------------------------------------


def test_a_protected_connector_cannot_be_deleted_by_any_override() -> None:
    payroll = connector("payroll", prevent_destroy=True)
    state = stored(payroll, roles("ada"))
    everything = Overrides(99, 99, policy_change=True, credentials=frozenset({CredentialRule("*")}))
    (violation,) = planned(state, roles("ada"), overrides=everything).violations
    assert violation.limit is Limit.PROTECTED
    assert violation.override == ""
    assert not violation.needs_only_a_person


def test_an_empty_configuration_does_not_get_round_the_protection() -> None:
    state = stored(connector("payroll", prevent_destroy=True))
    made = planned(state, overrides=Overrides(deletes=99))
    assert broken(made.violations) == [Limit.PROTECTED]


def test_protection_is_lifted_by_an_apply_of_its_own_and_not_by_the_delete() -> None:
    payroll = connector("payroll", prevent_destroy=True)
    lifted = replace(payroll, prevent_destroy=False)
    assert planned(stored(payroll, roles("ada")), lifted, roles("ada")).violations == ()
    assert planned(stored(lifted, roles("ada")), roles("ada")).violations == ()


def test_what_is_stored_unprotected_can_be_deleted_whatever_its_document_last_said() -> None:
    info = connector("info")
    assert planned(stored(info, roles("ada")), roles("ada")).violations == ()


def test_a_rename_is_not_a_delete_of_a_protected_connector() -> None:
    payroll = connector("payroll", prevent_destroy=True)
    wages = replace(payroll, name="wages")
    assert planned(stored(payroll), wages, renames=(("wages", "payroll"),)).violations == ()


# --- the policy -----------------------------------------------------------------------------------

INFO, NO_REPLY = connector("info"), connector("no-reply")
ON = GlobalSmtpPolicy(enabled=True, connector="no-reply", fallback_connector="no-reply")


@pytest.mark.parametrize(
    "policy",
    [
        replace(ON, enabled=False),
        replace(ON, connector="info"),
        replace(ON, fallback_connector=None),
        replace(ON, reply_to=ReplyTo.NONE),
        replace(ON, save_to_sent_items=True),
    ],
)
def test_any_change_of_the_policy_needs_approval(
    policy: GlobalSmtpPolicy,
) -> None:
    made = planned(stored(INFO, NO_REPLY, ON), INFO, NO_REPLY, policy)
    assert broken(made.violations) == [Limit.POLICY_CHANGE]
    assert made.violations[0].needs_only_a_person
    allowed = Overrides(policy_change=True)
    assert (
        planned(stored(INFO, NO_REPLY, ON), INFO, NO_REPLY, policy, overrides=allowed).violations
        == ()
    )


def test_so_do_a_new_and_a_removed_policy() -> None:
    assert broken(planned(stored(NO_REPLY), NO_REPLY, ON).violations) == [Limit.POLICY_CHANGE]
    assert broken(planned(stored(NO_REPLY, ON), NO_REPLY).violations) == [Limit.POLICY_CHANGE]


def test_the_first_apply_may_bring_its_policy_along() -> None:
    assert planned(EMPTY, NO_REPLY, ON).violations == ()


def test_a_policy_that_only_follows_a_rename_is_unchanged() -> None:
    robot = replace(NO_REPLY, name="robot")
    after = replace(ON, connector="robot", fallback_connector="robot")
    made = planned(stored(NO_REPLY, ON), robot, after, renames=(("robot", "no-reply"),))
    assert made.violations == ()
    more = replace(after, reply_to=ReplyTo.NONE)
    made = planned(stored(NO_REPLY, ON), robot, more, renames=(("robot", "no-reply"),))
    assert broken(made.violations) == [Limit.POLICY_CHANGE]


def test_a_rename_that_does_not_happen_does_not_excuse_a_change_of_policy() -> None:
    """``evil`` is there already and claims the name of what is deleted, so nothing is renamed."""
    evil = connector("evil")
    after = replace(ON, connector="evil", fallback_connector="evil")
    made = planned(stored(evil, NO_REPLY, ON), evil, after, renames=(("evil", "no-reply"),))
    assert broken(made.violations) == [Limit.POLICY_CHANGE]
    made = planned(stored(NO_REPLY, ON), evil, NO_REPLY, after, renames=(("evil", "no-reply"),))
    assert broken(made.violations) == [Limit.POLICY_CHANGE]


def test_the_last_administrator_stays() -> None:
    before = stored(connector("a"), roles("alice"))
    for configured in ([connector("a")], [connector("a"), roles()]):
        (violation,) = planned(before, *configured).violations
        assert violation.limit is Limit.LAST_ADMINISTRATOR
        assert violation.override == ""
    assert planned(before, connector("a"), roles("bob")).violations == ()


def test_where_nothing_is_left_nobody_has_to_administer_it() -> None:
    made = planned(stored(connector("a"), roles("alice")), overrides=Overrides(deletes=2))
    assert made.violations == ()


def test_where_there_never_was_an_administrator_none_has_to_stay() -> None:
    assert planned(stored(connector("a"), roles()), connector("a")).violations == ()
