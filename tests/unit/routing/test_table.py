"""The table of effective routes, and how it names those who may."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.model.policy import GlobalSmtpPolicy
from reconciler.routing.audience import administrators_of, users_of
from reconciler.routing.reason import Reason
from reconciler.routing.table import ANY_OTHER, effective_routes
from reconciler.values import replace
from tests.builders import connector, group, groups, permissions, roles, snapshot, users

if TYPE_CHECKING:
    from reconciler.model.permissions import Permissions

INFO, NO_REPLY = connector("info"), connector("no-reply")


def test_there_is_a_row_for_every_address_and_one_for_the_rest() -> None:
    rows = effective_routes(snapshot(NO_REPLY, INFO))
    assert [(row.sender, row.via, row.reason) for row in rows] == [
        ("info@contoso.example", "info", Reason.SENDER),
        ("no-reply@contoso.example", "no-reply", Reason.SENDER),
        (ANY_OTHER, None, Reason.FALLBACK),
    ]
    assert rows[-1].audience.label == "nobody"


def test_addresses_that_differ_in_case_are_one_row_of_the_first_by_name() -> None:
    loud = replace(INFO, name="zzz", email_address="INFO@contoso.example")
    rows = effective_routes(snapshot(INFO, loud))
    assert [(row.sender, row.via) for row in rows[:-1]] == [("info@contoso.example", "info")]


def test_drafts_and_those_that_only_receive_have_no_row() -> None:
    mute = replace(NO_REPLY, enable_mail_send_from=False)
    assert len(effective_routes(snapshot(replace(INFO, draft=True), mute))) == 1


def test_under_a_policy_every_row_leads_through_its_connector_for_the_users_of_the_owner() -> None:
    policy = GlobalSmtpPolicy(enabled=True, connector="no-reply")
    rows = effective_routes(
        snapshot(INFO, NO_REPLY, policy, permissions("info", users=users("ada")))
    )
    assert {row.destination for row in rows} == {("no-reply", "no-reply@contoso.example")}
    assert [row.audience.label for row in rows] == ["ada", "any internal user", "any internal user"]


def test_the_policys_other_fields_are_open_to_the_partners_that_its_connector_admits() -> None:
    policy = GlobalSmtpPolicy(enabled=True, connector="no-reply")
    inside = roles("ada", internal=("contoso.example",))
    some = permissions("no-reply", users=users("ada", "p@else.example"), enable_b2b=True)
    rest = effective_routes(snapshot(NO_REPLY, policy, inside, some))[-1]
    assert rest.audience.members == {"p@else.example"}
    assert rest.audience.label == "any internal user, and of ada, p@else.example the partners"
    every = permissions("no-reply", enable_b2b=True)
    rest = effective_routes(snapshot(NO_REPLY, policy, inside, every))[-1]
    assert rest.audience.label == "any internal user or partner"


STAFF = group("staff", "ada@contoso.example", "joan@else.example")
INSIDE = roles("ada", internal=("contoso.example",))


@pytest.mark.parametrize(
    ("desired", "label"),
    [
        (permissions("info"), "any internal user"),
        (permissions("info", enable_b2b=True), "any internal user or partner"),
        (permissions("info", users=groups("staff")), "group staff (1 user)"),
        (
            permissions("info", users=groups("staff"), enable_b2b=True),
            "group staff (1 user and 1 partner)",
        ),
        (permissions("info", users=users("ada@contoso.example")), "ada@contoso.example"),
        (permissions("info", users=users("joan@else.example")), "nobody"),
        (
            permissions("info", users=users("a", "b", "c", "d", "e", "f")),
            "a, b, c, d, e and 1 more",
        ),
        (permissions("info", users=groups("empty")), "group empty (0 users)"),
    ],
)
def test_users_are_named_as_the_configuration_names_them_and_counted(
    desired: Permissions, label: str
) -> None:
    directory = snapshot(STAFF, INSIDE, group("empty")).directory
    assert users_of(desired, directory).label == label


def test_administrators_are_any_administrator_or_those_who_are_named() -> None:
    directory = snapshot(STAFF).directory
    assert administrators_of(permissions("info"), directory).label == "any Administrator"
    named = permissions("info", administrators=groups("staff"))
    assert administrators_of(named, directory).label == "group staff (2 users)"


def test_connectors_whose_users_are_described_alike_share_one_audience() -> None:
    staff = group("staff", "ada", "bob")
    rows = effective_routes(
        snapshot(
            INFO,
            NO_REPLY,
            staff,
            permissions("info", users=groups("staff")),
            permissions("no-reply", users=groups("staff")),
        )
    )
    assert rows[0].audience is rows[1].audience
    assert rows[0].audience.members == {"ada", "bob"}
