"""The routing decision: every branch of it, and the sentences that explain it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.domain import address_key
from reconciler.model.policy import GlobalSmtpPolicy, ReplyTo
from reconciler.routing.audience import Audience, users_of
from reconciler.routing.decide import route
from reconciler.routing.index import RoutingIndex
from reconciler.routing.reason import Reason, RefusalReason
from reconciler.routing.request import Refusal, Route, RouteRequest
from reconciler.routing.senders import sends_as
from reconciler.routing.table import ANY_OTHER, EffectiveRoute, effective_routes
from reconciler.values import replace
from tests.builders import (
    connector,
    group,
    groups,
    permissions,
    receiving,
    roles,
    snapshot,
    users,
)
from tests.strategies import ADDRESSES, NAMES, PEOPLE, snapshots

if TYPE_CHECKING:
    from reconciler.model.snapshot import Snapshot

ADA = "ada@contoso.example"
PARTNER = "joan@adventure-works.example"
INFO, NO_REPLY = connector("info"), connector("no-reply")
INTERNAL = roles(ADA, internal=("contoso.example",))
FORCED = GlobalSmtpPolicy(enabled=True, connector="no-reply")


def routed(snapshot: Snapshot, actor: str = ADA, **fields: str | None) -> Route:
    found = route(RouteRequest(actor=actor, **fields), RoutingIndex(snapshot))
    assert isinstance(found, Route), found
    return found


def refused(snapshot: Snapshot, actor: str = ADA, **fields: str | None) -> Refusal:
    found = route(RouteRequest(actor=actor, **fields), RoutingIndex(snapshot))
    assert isinstance(found, Refusal), found
    return found


# --- without a policy -----------------------------------------------------------------------------


def test_the_connector_that_is_named_carries_the_mail() -> None:
    found = routed(snapshot(INFO, NO_REPLY), connector="info")
    assert found == Route(
        connector="info",
        from_address="info@contoso.example",
        reply_to=None,
        original_from=None,
        save_to_sent_items=None,
        reason=Reason.NAMED,
        steps=(
            "The request names the connector info.",
            "ada@contoso.example may use it, like any internal user.",
        ),
        asked="info",
    )


def test_the_connector_whose_address_is_the_sender_carries_the_mail() -> None:
    found = routed(snapshot(INFO, NO_REPLY), sender="INFO@contoso.example")
    assert (found.connector, found.reason) == ("info", Reason.SENDER)
    assert found.from_address == "info@contoso.example"
    assert found.original_from is None
    assert found.steps[0] == "info is the connector of INFO@contoso.example."


def test_of_several_connectors_with_one_address_the_first_by_name_has_it() -> None:
    twin = replace(INFO, name="aaa")
    assert routed(snapshot(INFO, twin), sender="info@contoso.example").connector == "aaa"


def test_a_sender_other_than_the_named_connectors_goes_to_reply_to() -> None:
    found = routed(snapshot(INFO), sender="sales@contoso.example", connector="info")
    assert found.from_address == "info@contoso.example"
    assert found.reply_to == "sales@contoso.example"
    assert found.original_from == "sales@contoso.example"
    assert found.warnings == ()
    assert found.steps[-2:] == (
        "From becomes info@contoso.example; sales@contoso.example is kept in X-Original-From.",
        "Replies go to sales@contoso.example (Reply-To).",
    )


def test_a_reply_to_of_the_request_is_kept() -> None:
    found = routed(
        snapshot(INFO), sender="x@contoso.example", connector="info", reply_to="y@contoso.example"
    )
    assert found.reply_to == "y@contoso.example"
    assert found.original_from == "x@contoso.example"


def test_a_sender_of_another_domain_is_warned_of() -> None:
    found = routed(snapshot(INFO), sender=PARTNER, connector="info")
    assert len(found.warnings) == 1
    assert "joan@adventure-works.example is in another domain" in found.warnings[0]
    assert "DMARC" in found.warnings[0]


def test_an_unknown_connector_is_refused() -> None:
    found = refused(snapshot(INFO), connector="nope")
    assert found.reason is RefusalReason.UNKNOWN_CONNECTOR
    assert found.sentence == "there is no connector nope"


@pytest.mark.parametrize(
    ("unable", "sentence"),
    [
        (replace(INFO, draft=True), "info is a draft and is not used for sending"),
        (receiving("info"), "info only receives: enable_mail_send_from is false"),
        (replace(INFO, smtp=None), "info cannot send: it has no SMTP server"),
        (replace(INFO, email_address=None), "info cannot send: it has no address to send as"),
    ],
)
def test_a_connector_that_cannot_send_is_refused(unable: object, sentence: str) -> None:
    found = refused(snapshot(unable), connector="info")  # type: ignore[arg-type]
    assert (found.reason, found.sentence) == (RefusalReason.CANNOT_SEND, sentence)
    assert found.steps == ("The request names the connector info.",)


def test_the_address_of_a_draft_or_of_one_that_only_receives_is_nobodys() -> None:
    assert (
        RoutingIndex(snapshot(replace(INFO, draft=True))).owner_of("info@contoso.example") is None
    )
    reads = replace(INFO, enable_mail_send_from=False)
    assert RoutingIndex(snapshot(reads)).owner_of("info@contoso.example") is None


# --- the fallback ---------------------------------------------------------------------------------


def test_a_sender_without_a_connector_uses_the_fallback() -> None:
    policy = GlobalSmtpPolicy(fallback_connector="no-reply")
    found = routed(snapshot(INFO, NO_REPLY, policy), sender="sales@contoso.example")
    assert (found.connector, found.reason) == ("no-reply", Reason.FALLBACK)
    assert found.reply_to == "sales@contoso.example"
    assert found.steps[:2] == (
        "No connector sends as sales@contoso.example.",
        "The fallback connector is no-reply.",
    )


def test_the_fallback_keeps_answers_to_itself_where_the_policy_says_so() -> None:
    policy = GlobalSmtpPolicy(fallback_connector="no-reply", reply_to=ReplyTo.NONE)
    found = routed(snapshot(NO_REPLY, policy), sender="sales@contoso.example")
    assert found.reply_to is None
    assert found.original_from == "sales@contoso.example"


def test_a_request_that_names_nothing_goes_through_the_fallback_too() -> None:
    policy = GlobalSmtpPolicy(fallback_connector="no-reply")
    found = routed(snapshot(NO_REPLY, policy))
    assert found.original_from is None
    assert found.steps[0] == "The request names neither a sender nor a connector."


def test_the_fallback_is_for_its_users_only() -> None:
    policy = GlobalSmtpPolicy(fallback_connector="no-reply")
    closed = snapshot(NO_REPLY, policy, permissions("no-reply", users=users("robot")))
    assert refused(closed, sender="x@contoso.example").reason is RefusalReason.NOT_PERMITTED


@pytest.mark.parametrize(
    ("policy", "sender", "sentence"),
    [
        (
            None,
            "x@contoso.example",
            "no connector sends as x@contoso.example, and the policy names no fallback connector",
        ),
        (None, None, "no sender is given, and the policy names no fallback connector"),
        (
            GlobalSmtpPolicy(fallback_connector="gone"),
            None,
            "no sender is given, and the fallback connector gone does not exist",
        ),
    ],
)
def test_without_any_connector_the_mail_is_refused(
    policy: GlobalSmtpPolicy | None, sender: str | None, sentence: str
) -> None:
    found = refused(snapshot(INFO, *((policy,) if policy else ())), sender=sender)
    assert (found.reason, found.sentence) == (RefusalReason.NO_CONNECTOR, sentence)


# --- who may --------------------------------------------------------------------------------------


@pytest.mark.parametrize("actor", [ADA, "ADA@Contoso.Example", "eve@contoso.example"])
def test_users_are_compared_without_regard_to_case_and_through_nested_groups(actor: str) -> None:
    world = snapshot(
        INFO,
        permissions("info", users=groups("outer")),
        group("outer", within=("inner",)),
        group("inner", "Ada@contoso.example", "EVE@contoso.example", within=("outer",)),
    )
    found = routed(world, actor, connector="info")
    assert found.steps[-1] == f"{actor} is one of its users."


def test_a_sender_who_is_not_a_user_is_refused() -> None:
    found = refused(snapshot(INFO, permissions("info", users=users("eve"))), connector="info")
    assert found.reason is RefusalReason.NOT_PERMITTED
    assert found.sentence == "ada@contoso.example is not among the users of info"


@pytest.mark.parametrize("named", [(), (PARTNER,)])
def test_a_partner_needs_b2b_even_if_named(named: tuple[str, ...]) -> None:
    shut = snapshot(INFO, INTERNAL, permissions("info", users=users(*named)))
    found = refused(shut, PARTNER, connector="info")
    assert found.sentence == (
        "joan@adventure-works.example is an external partner, but info has not enabled B2B"
    )
    wide = snapshot(INFO, INTERNAL, permissions("info", users=users(*named), enable_b2b=True))
    assert routed(wide, PARTNER, connector="info").steps[-1] == (
        "joan@adventure-works.example is a partner, and B2B is enabled for it."
    )


def test_b2b_admits_only_partners_among_the_users_if_users_are_named() -> None:
    world = snapshot(INFO, INTERNAL, permissions("info", users=users(ADA), enable_b2b=True))
    assert refused(world, PARTNER, connector="info").reason is RefusalReason.NOT_PERMITTED


def test_without_internal_domains_users_outside_the_connectors_domains_are_partners() -> None:
    for world in (snapshot(INFO), snapshot(INFO, roles(ADA))):
        assert routed(world, ADA, connector="info").connector == "info"
        assert refused(world, PARTNER, connector="info").reason is RefusalReason.NOT_PERMITTED
    open_to_partners = snapshot(INFO, permissions("info", enable_b2b=True))
    assert routed(open_to_partners, PARTNER, connector="info").connector == "info"


def test_a_login_name_that_is_not_an_address_is_internal() -> None:
    assert routed(snapshot(INFO, INTERNAL), "jenkins", connector="info").connector == "info"


# --- the global policy ----------------------------------------------------------------------------


def test_the_policy_forces_all_mail_through_its_connector() -> None:
    policy = replace(FORCED, save_to_sent_items=True)
    found = routed(snapshot(INFO, NO_REPLY, policy), sender="info@contoso.example")
    assert found == Route(
        connector="no-reply",
        from_address="no-reply@contoso.example",
        reply_to="info@contoso.example",
        original_from="info@contoso.example",
        save_to_sent_items=True,
        reason=Reason.GLOBAL_POLICY,
        steps=(
            "info is the connector of info@contoso.example.",
            "ada@contoso.example may use it, like any internal user.",
            "The global SMTP policy forces all mail through no-reply.",
            "From becomes no-reply@contoso.example; info@contoso.example is kept in X-Original-From.",
            "Replies go to info@contoso.example (Reply-To).",
        ),
        asked="info",
    )


def test_the_policy_replaces_the_address_of_the_named_connector() -> None:
    found = routed(snapshot(INFO, NO_REPLY, FORCED), connector="info")
    assert found.original_from == "info@contoso.example"


def test_the_carriers_own_mail_is_not_replaced() -> None:
    found = routed(snapshot(INFO, NO_REPLY, FORCED), sender="No-Reply@contoso.example")
    assert found.original_from is None
    assert found.reply_to is None


def test_the_policy_may_keep_answers_from_the_replaced_sender() -> None:
    policy = replace(FORCED, reply_to=ReplyTo.NONE)
    found = routed(snapshot(INFO, NO_REPLY, policy), sender="info@contoso.example")
    assert found.reply_to is None
    assert found.original_from == "info@contoso.example"
    asked = routed(
        snapshot(INFO, NO_REPLY, policy), sender="info@contoso.example", reply_to="a@b.example"
    )
    assert asked.reply_to == "a@b.example"


def test_the_policy_carries_mail_of_users_without_a_connector_and_ignores_the_fallback() -> None:
    policy = replace(FORCED, fallback_connector="info")
    closed = permissions("no-reply", users=users("robot"))
    found = routed(snapshot(INFO, NO_REPLY, policy, closed), sender="sales@contoso.example")
    assert found.connector == "no-reply"


def test_a_partner_who_names_no_connector_needs_the_carriers_b2b() -> None:
    shut = snapshot(INFO, NO_REPLY, FORCED, INTERNAL)
    assert refused(shut, PARTNER).reason is RefusalReason.NOT_PERMITTED
    wide = snapshot(*shut.resources, permissions("no-reply", enable_b2b=True))
    assert routed(wide, PARTNER).connector == "no-reply"


@pytest.mark.parametrize(
    ("carrier", "sentence"),
    [
        (None, "names no connector"),
        ("gone", "names gone, which cannot send"),
        ("drafted", "names drafted, which cannot send"),
        ("reads", "names reads, which cannot send"),
    ],
)
def test_a_policy_whose_connector_cannot_send_refuses_all_mail(
    carrier: str | None, sentence: str
) -> None:
    policy = GlobalSmtpPolicy(enabled=True, connector=carrier, fallback_connector="info")
    drafted, reads = connector("drafted", draft=True), receiving("reads")
    world = snapshot(INFO, drafted, reads, policy)
    for sender in ("info@contoso.example", "other@contoso.example", None):
        found = refused(world, sender=sender)
        assert found.reason is RefusalReason.CANNOT_SEND
        assert found.sentence.endswith(sentence)
    assert {row.destination for row in effective_routes(world)} == {(None, None)}


# --- properties -----------------------------------------------------------------------------------

requests = st.builds(
    RouteRequest,
    actor=st.sampled_from(PEOPLE),
    sender=st.sampled_from([None, *ADDRESSES, "other@in.example"]),
    connector=st.sampled_from([None, *NAMES]),
    reply_to=st.sampled_from([None, "answers@in.example"]),
)


@given(snapshots(), requests)
def test_a_policy_grants_no_right_to_use_a_connector(
    world: Snapshot, request: RouteRequest
) -> None:
    """A refused connector is refused under every policy."""
    free = replace(world, policy=None)
    asked = request.connector is not None or (
        request.sender is not None and RoutingIndex(free).owner_of(request.sender) is not None
    )
    if asked and isinstance(route(request, RoutingIndex(free)), Refusal):
        assert isinstance(route(request, RoutingIndex(world)), Refusal)


@given(snapshots(), requests)
def test_a_route_leads_through_a_connector_that_may_send_as_its_from_address(
    world: Snapshot, request: RouteRequest
) -> None:
    found = route(request, RoutingIndex(world))
    if isinstance(found, Refusal):
        assert found.sentence
        return
    carrier = world.connector(found.connector)
    assert carrier is not None
    assert carrier.can_send
    assert sends_as(carrier, found.from_address)
    if found.from_address != carrier.email_address:
        assert found.reason is not Reason.GLOBAL_POLICY
        assert address_key(found.from_address) == address_key(request.sender or "")
    assert found.original_from is None or found.original_from == (
        request.sender or (world.connector(request.connector or "") or carrier).email_address
    )
    assert all(step.endswith(".") for step in found.steps)
    if request.reply_to is not None:
        assert found.reply_to == request.reply_to


def admits(audience: Audience, actor: str, world: Snapshot) -> bool:
    if actor.casefold() in audience.members:
        return True
    if world.directory.is_internal(actor):
        return audience.everyone
    return audience.partners


@given(snapshots(), st.sampled_from(PEOPLE))
def test_the_users_of_a_connector_are_exactly_those_who_may_request_it(
    world: Snapshot, actor: str
) -> None:
    free = replace(world, policy=None)
    for owner in world.connectors:
        if owner.can_send:
            audience = users_of(world.permissions_of(owner.name), world.directory)
            found = route(RouteRequest(actor=actor, connector=owner.name), RoutingIndex(free))
            assert isinstance(found, Route) == admits(audience, actor, world)


def some_of(sender: str) -> str:
    return f"somebody{sender[1:]}" if sender.startswith("*@") else sender


def agrees(row: EffectiveRoute, actor: str, world: Snapshot) -> bool:
    sender = "nobodys@in.example" if row.sender == ANY_OTHER else some_of(row.sender)
    found = route(RouteRequest(actor=actor, sender=sender), RoutingIndex(world))
    if row.via is None:
        return isinstance(found, Refusal)
    if not admits(row.audience, actor, world):
        return isinstance(found, Refusal)
    return (
        isinstance(found, Route)
        and (found.connector, found.from_address) == (row.via, some_of(row.as_address or ""))
        and found.reason is row.reason
    )


@given(snapshots(), st.sampled_from(PEOPLE))
def test_the_table_agrees_with_the_decision_for_everybody(world: Snapshot, actor: str) -> None:
    for row in effective_routes(world):
        assert agrees(row, actor, world), row
