"""Who may make which change, judged by what is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.apply.authorise import denials
from reconciler.model.fingerprint import Fingerprint
from reconciler.model.policy import GlobalSmtpPolicy
from reconciler.model.provider import Provider
from reconciler.model.secret_ref import SecretRef
from reconciler.values import replace
from tests.builders import (
    EMPTY,
    application,
    connector,
    group,
    groups,
    permissions,
    planned,
    roles,
    stored,
    users,
)

if TYPE_CHECKING:
    from reconciler.model.resource import Resource

INFO, PAYROLL = connector("info"), connector("payroll")
OF_PAYROLL = permissions("payroll", administrators=users("hr"))
ROLES = roles("admin", manage=users("manager"))
STAFF = group("staff", "ada")
POLICY = GlobalSmtpPolicy(connector="info")
OWN = Provider(name="own")
GRAFANA = application("grafana", user="hr")
WORLD: tuple[Resource, ...] = (INFO, PAYROLL, OF_PAYROLL, ROLES, STAFF, POLICY, OWN, GRAFANA)
STATE = stored(*WORLD)

ANY = "requires an Administrator (admin)"
MANAGE = "requires an Administrator or Manage data sources (admin, manager)"


def others(*gone: Resource) -> list[Resource]:
    return [item for item in WORLD if item not in gone]


CHANGES: dict[str, tuple[tuple[Resource, ...], set[str]]] = {
    # what is desired, and who may do it
    "create a connector": ((*WORLD, connector("new")), {"admin", "manager"}),
    "create one with its permissions": (
        (*WORLD, connector("new"), permissions("new", administrators=users("eve"))),
        {"admin", "manager"},
    ),
    "delete a connector": (tuple(others(PAYROLL, OF_PAYROLL)), {"admin", "manager"}),
    "edit one that names no administrators": (
        (*others(INFO), replace(INFO, display_name="X")),
        {"admin"},
    ),
    "edit one that names its administrators": (
        (*others(PAYROLL), replace(PAYROLL, display_name="X")),
        {"hr"},
    ),
    "give permissions to a stored connector": ((*WORLD, permissions("info")), {"admin"}),
    "change permissions": (
        (*others(OF_PAYROLL), permissions("payroll", administrators=users("eve"))),
        {"hr"},
    ),
    "delete permissions alone": (tuple(others(OF_PAYROLL)), {"hr"}),
    "change a group": ((*others(STAFF), group("staff", "eve")), {"admin"}),
    "delete a group": (tuple(others(STAFF)), {"admin"}),
    "change the roles": ((*others(ROLES), roles("admin", "eve")), {"admin"}),
    "delete the roles": (tuple(others(ROLES)), {"admin"}),
    "change the policy": (
        (*others(POLICY), replace(POLICY, enabled=True)),
        {"admin"},
    ),
    "delete the policy": (tuple(others(POLICY)), {"admin"}),
    "create an application": ((*WORLD, application("gitlab")), {"admin"}),
    "give an application another user": (
        (*others(GRAFANA), replace(GRAFANA, user="admin")),
        {"admin"},
    ),
    "delete an application": (tuple(others(GRAFANA)), {"admin"}),
    "change a provider": (
        (*others(OWN), Provider(name="own", files_sent_copies=True)),
        {"admin", "manager"},
    ),
}


@pytest.mark.parametrize("what", CHANGES)
@pytest.mark.parametrize("actor", ["admin", "manager", "hr", "eve", ""])
def test_each_change_requires_its_right(what: str, actor: str) -> None:
    configured, may = CHANGES[what]
    made = planned(STATE, *configured)
    assert not made.empty
    found = denials(made.changes, STATE, actor)
    assert (not found) == (actor in may)


@pytest.mark.parametrize("actor", ["ADMIN", "Admin"])
def test_actors_are_compared_without_regard_to_case(actor: str) -> None:
    made = planned(STATE, *CHANGES["change the roles"][0])
    assert denials(made.changes, STATE, actor) == ()


def test_a_denial_says_who_may() -> None:
    made = planned(STATE, *CHANGES["edit one that names its administrators"][0])
    (denial,) = denials(made.changes, STATE, "admin")
    assert str(denial.address) == "EmailConnector.payroll"
    assert denial.message == "requires one of the administrators of payroll (hr)"
    made = planned(STATE, *CHANGES["create a connector"][0])
    assert [item.message for item in denials(made.changes, STATE, "eve")] == [MANAGE]
    made = planned(STATE, *CHANGES["change the policy"][0])
    assert [item.message for item in denials(made.changes, STATE, "eve")] == [ANY]


def test_granting_oneself_a_right_has_no_effect() -> None:
    configured: list[Resource] = [
        replace(PAYROLL, display_name="Mine"),
        permissions("payroll", administrators=users("eve")),
        roles("eve"),
        *others(PAYROLL, OF_PAYROLL, ROLES),
    ]
    made = planned(STATE, *configured)
    assert len(denials(made.changes, STATE, "eve")) == len(made.changes) == 3


def test_a_group_that_the_change_itself_fills_gives_nothing() -> None:
    state = stored(INFO, ROLES, STAFF, permissions("info", administrators=groups("staff")))
    configured: list[Resource] = [replace(INFO, display_name="X"), ROLES, group("staff", "ada", "eve"),
              permissions("info", administrators=groups("staff"))]  # fmt: skip
    made = planned(state, *configured)
    assert len(denials(made.changes, state, "eve")) == 2
    # ada is among the administrators of info, and may not change the group.
    assert [str(item.address) for item in denials(made.changes, state, "ada")] == ["Group.staff"]


def test_the_first_apply_bootstraps() -> None:
    made = planned(EMPTY, *WORLD)
    assert denials(made.changes, EMPTY, "anybody") == ()


@pytest.mark.parametrize(
    "leaderless",
    [(), (roles(),), (replace(roles(), administrators=groups("nobody")), group("nobody"))],
)
def test_without_administrators_everybody_is_one(leaderless: tuple[Resource, ...]) -> None:
    state = stored(INFO, *leaderless)
    made = planned(state, replace(INFO, display_name="X"), *leaderless, roles("eve"))
    assert denials(made.changes, state, "eve") == ()


def test_without_roles_only_its_administrators_may_change_a_connector_that_names_them() -> None:
    state = stored(PAYROLL, OF_PAYROLL)
    made = planned(state, replace(PAYROLL, display_name="X"), OF_PAYROLL)
    assert len(denials(made.changes, state, "eve")) == 1


def test_the_last_administrators_may_go_but_only_by_their_own_hand() -> None:
    made = planned(STATE, *others(ROLES), roles("eve"))
    assert denials(made.changes, STATE, "admin") == ()
    assert len(denials(made.changes, STATE, "eve")) == 1


def test_a_rename_is_judged_by_the_old_name() -> None:
    wages, of_wages = (
        replace(PAYROLL, name="wages"),
        permissions("wages", administrators=users("eve")),
    )
    made = planned(
        STATE,
        wages,
        of_wages,
        *others(PAYROLL, OF_PAYROLL),
        renames=(("wages", "payroll"),),
    )
    assert denials(made.changes, STATE, "hr") == ()
    assert {str(item.address) for item in denials(made.changes, STATE, "eve")} == {
        "EmailConnector.wages",
        "Permissions.wages",
    }
    assert {item.message for item in denials(made.changes, STATE, "admin")} == {
        "requires one of the administrators of payroll (hr)"
    }


def test_a_rename_that_does_not_happen_grants_no_rights_of_the_old_name() -> None:
    """``info`` claims the name of ``payroll``, which goes; its administrators gain nothing."""
    configured: list[Resource] = [
        replace(INFO, display_name="Mine"),
        permissions("info", administrators=users("hr")),
    ]
    made = planned(
        STATE,
        *configured,
        *others(INFO, PAYROLL, OF_PAYROLL),
        renames=(("info", "payroll"),),
    )
    denied = {str(item.address) for item in denials(made.changes, STATE, "hr")}
    assert {"EmailConnector.info", "Permissions.info"} <= denied


def test_a_rotation_is_an_edit() -> None:
    reference = SecretRef("env", "PAYROLL_PASSWORD")
    state = stored(*WORLD, fingerprints={"payroll": {reference: Fingerprint("k", "old")}})
    made = planned(state, *WORLD, fingerprints={reference: Fingerprint("k", "new")})
    assert denials(made.changes, state, "hr") == ()
    assert len(denials(made.changes, state, "manager")) == 1
